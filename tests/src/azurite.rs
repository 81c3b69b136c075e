//! A server with the protocol of Azure's blobs: Azurite, from npm.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::built;

/// The version is pinned, so that a failure is Weir's.
const VERSION: &str = "3.35.0";
/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

const HINT: &str = "hint: install Node.js and npm, and let npm reach a package registry (Debian, Ubuntu: \
                    sudo apt-get install nodejs npm)";

/// The account that every Azurite has, and its key, both published by its authors.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The account's key.
pub const ACCESS_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The container that is there.
pub const CONTAINER: &str = "lake";

/// Makes a container: Weir makes none. Arguments: port, account, key, container.
const MAKE_CONTAINER: &str = r#"
const { createHmac } = require('node:crypto');
const [port, account, key, container] = process.argv.slice(-4);
const headers = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-08-06' };
const named = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
const path = `/${account}/${container}`;
const signed = ['PUT', ...Array(11).fill(''), ...named, `/${account}${path}`, 'restype:container'];
const mac = createHmac('sha256', Buffer.from(key, 'base64')).update(signed.join('\n'));
headers.authorization = `SharedKey ${account}:${mac.digest('base64')}`;
fetch(`http://127.0.0.1:${port}${path}?restype=container`, { method: 'PUT', headers }).then(
  async (reply) => { if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`); },
);
"#;

/// A server on a free port, with one empty container. It ends with this value.
pub struct Azurite {
    port: u16,
    process: Child,
    _dir: TempDir,
}

impl Azurite {
    /// Starts a server.
    pub fn start() -> Azurite {
        let program = program();
        let until = Instant::now() + START;
        // Between finding a port and using it another may take it: then the process ends.
        while Instant::now() < until {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let dir = tempfile::tempdir().expect("a temporary folder");
            let mut process = Command::new("node")
                .arg(&program)
                .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
                .arg("--location")
                .arg(dir.path())
                .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("node cannot be started: {error}\n{HINT}"));
            while Instant::now() < until && process.try_wait().expect("a child").is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let server = Azurite {
                        port,
                        process,
                        _dir: dir,
                    };
                    server.make_container();
                    return server;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("Azurite does not start within {START:?}\n{HINT}");
    }

    fn make_container(&self) {
        let made = Command::new("node")
            .args(["-e", MAKE_CONTAINER, "--", &self.port.to_string()])
            .args([ACCOUNT, ACCESS_KEY, CONTAINER])
            .output()
            .expect("node starts");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    /// Where the account is.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's program, fetched once into the target folder.
fn program() -> PathBuf {
    let all = built::cache("azurite");
    let folder = all.join(VERSION);
    let program = "node_modules/azurite/dist/src/blob/main.js";
    if !folder.join(program).is_file() {
        let fetched = tempfile::tempdir_in(&all).expect("the target folder can be written");
        let npm = Command::new("npm")
            .args(["install", "--silent", "--no-save", "--prefix"])
            .arg(fetched.path())
            .arg(format!("azurite@{VERSION}"))
            .output()
            .unwrap_or_else(|error| panic!("npm cannot be started: {error}\n{HINT}"));
        let words = String::from_utf8_lossy(&npm.stderr);
        assert!(npm.status.success(), "npm: {words}\n{HINT}");
        // Another process may have been faster: then the folder is there, and this one goes.
        if fs::rename(fetched.path(), &folder).is_ok() {
            let _ = fetched.keep();
        }
    }
    let program = folder.join(program);
    assert!(program.is_file(), "there is no {}", program.display());
    program
}
