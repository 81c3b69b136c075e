//! A real OCI registry on this machine, and pushing to it by plain HTTP.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// How long a registry may take to start.
const START: Duration = Duration::from_secs(30);

/// A registry on a free port, with storage of its own. It ends with this value.
pub struct Registry {
    dir: Arc<TempDir>,
    host: &'static str,
    port: u16,
    process: Child,
    authorization: Option<&'static str>,
}

/// How a registry is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Login,
    Tls,
}

/// A component in the registry.
pub struct Pushed {
    /// SHA-256 of its manifest.
    pub manifest: String,
    /// SHA-256 of the component.
    pub component: String,
    /// What a pipeline file calls it.
    pub reference: String,
}

/// 64 lower-case hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("text can be written");
            text
        })
}

impl Registry {
    /// A registry that asks nobody for a login.
    pub fn start() -> Registry {
        Registry::with(Kind::Open, folder())
    }

    /// A registry that lets in the user `weir` with the password `pA55word-canary`.
    pub fn with_login() -> Registry {
        Registry::with(Kind::Login, folder())
    }

    /// A second registry with the same content, by HTTPS, at an address of this machine for which
    /// nobody takes it to be this machine. `tests/it/tls/ca.pem` vouches for it.
    pub fn by_https(&self) -> Registry {
        Registry::with(Kind::Tls, Arc::clone(&self.dir))
    }

    fn with(kind: Kind, dir: Arc<TempDir>) -> Registry {
        let program = std::env::var_os("WEIR_REGISTRY_BIN")
            .map_or_else(|| PathBuf::from("docker-registry"), PathBuf::from);
        let until = Instant::now() + START;
        // Between finding a port and using it another may take it: then the process ends.
        while Instant::now() < until {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let config = dir.path().join(format!("config-{port}.yml"));
            std::fs::write(&config, configuration(&dir, port, kind)).expect("a file");
            let mut process = Command::new(&program)
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!(
                        "the registry {} cannot be started: {error}\nhint: `cargo xtask test` installs it",
                        program.display()
                    )
                });
            while Instant::now() < until {
                if process.try_wait().expect("a child can be asked").is_some() {
                    break;
                }
                let registry = TcpStream::connect(("127.0.0.1", port));
                if registry.is_ok() {
                    return Registry {
                        dir,
                        host: match kind {
                            Kind::Open | Kind::Login => "127.0.0.1",
                            Kind::Tls => "[::ffff:127.0.0.1]",
                        },
                        port,
                        process,
                        authorization: (kind == Kind::Login)
                            .then_some("Basic d2VpcjpwQTU1d29yZC1jYW5hcnk="),
                    };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("the registry {} did not start", program.display());
    }

    /// Host and port, as a reference has them.
    pub fn host(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Pushes a component as one layer, with annotations in its manifest.
    pub fn push(&self, name: &str, component: &[u8], annotations: &Value) -> Pushed {
        let config = br#"{"architecture":"wasm","os":"wasip2","layerDigests":[]}"#;
        for blob in [&config[..], component] {
            let (status, location) =
                self.send("POST", &format!("/v2/{name}/blobs/uploads/"), "", &[]);
            assert_eq!(status, 202, "an upload begins");
            let location = location.expect("an upload has a place");
            let path = location
                .strip_prefix(&format!("http://{}", self.host()))
                .unwrap_or(&location);
            let path = format!("{path}&digest=sha256:{}", sha256(blob));
            let (status, _) = self.send("PUT", &path, "application/octet-stream", blob);
            assert_eq!(status, 201, "a blob is taken");
        }
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {
                "mediaType": "application/vnd.wasm.config.v0+json",
                "digest": format!("sha256:{}", sha256(config)),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/wasm",
                "digest": format!("sha256:{}", sha256(component)),
                "size": component.len(),
            }],
            "annotations": annotations,
        })
        .to_string();
        let path = format!("/v2/{name}/manifests/latest");
        let (status, _) = self.send("PUT", &path, manifest_type, manifest.as_bytes());
        assert_eq!(status, 201, "a manifest is taken");
        let digest = sha256(manifest.as_bytes());
        Pushed {
            reference: format!("oci://{}/{name}@sha256:{digest}", self.host()),
            manifest: digest,
            component: sha256(component),
        }
    }

    /// The file in which the registry keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let first = digest.get(..2).expect("hex digits");
        self.dir
            .path()
            .join("storage/docker/registry/v2/blobs/sha256")
            .join(first)
            .join(digest)
            .join("data")
    }

    /// The status of an answer, and the place that it names.
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Option<String>) {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("the registry listens");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            self.host(),
            body.len()
        );
        if let Some(authorization) = self.authorization {
            write!(head, "Authorization: {authorization}\r\n").expect("text can be written");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).expect("a request");
        stream.write_all(body).expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
        let location = answer
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix("Location: "));
        (
            status.expect("an answer has a status"),
            location.map(str::to_owned),
        )
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> Arc<TempDir> {
    let dir = tempfile::Builder::new().prefix("weir-registry-").tempdir();
    Arc::new(dir.expect("a temporary folder"))
}

fn configuration(dir: &TempDir, port: u16, kind: Kind) -> String {
    let dir = dir.path().display();
    let mut text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {dir}/storage\n\
         http:\n  addr: 127.0.0.1:{port}\n"
    );
    match kind {
        Kind::Open => {}
        Kind::Login => {
            // bcrypt of the password, with the least work that there is.
            let line = "weir:$2a$05$abcdefghijklmnopqrstuuG4xSTkSCXn7L1nIIcEFnBCdf6qlmdEu\n";
            let path = format!("{dir}/htpasswd");
            std::fs::write(&path, line).expect("a file");
            write!(
                text,
                "auth:\n  htpasswd:\n    realm: weir\n    path: {path}\n"
            )
            .expect("text can be written");
        }
        Kind::Tls => {
            let keys = crate::built::root().join("tests/it/tls");
            let keys = keys.display();
            write!(
                text,
                "  tls:\n    certificate: {keys}/cert.pem\n    key: {keys}/key.pem\n"
            )
            .expect("text can be written");
        }
    }
    text
}
