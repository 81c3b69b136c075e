//! A server on this machine that does what DynamoDB does: moto's, a Python program.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// The version of moto.
const MOTO: &str = "5.2.5";
/// What moto needs to serve DynamoDB alone; its own extra `server` brings twice as much.
const PACKAGES: [&str; 2] = ["flask", "flask-cors"];
/// The region of the tables.
pub const REGION: &str = "eu-north-1";

/// A server on a free port of the loopback, with tables of its own, which it keeps in memory. It takes
/// any credentials. It ends with this value.
pub struct DynamoDb {
    /// Where the server runs.
    _dir: TempDir,
    port: u16,
    process: Child,
}

impl DynamoDb {
    /// A new server, without tables.
    pub fn start() -> DynamoDb {
        let python = python();
        let until = Instant::now() + START;
        // Between finding a port and using it another may take it: then the process ends.
        while Instant::now() < until {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let dir = TempDir::new().unwrap();
            let process = Command::new(&python)
                .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
                .arg(port.to_string())
                .current_dir(dir.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{} cannot be started: {error}", python.display()));
            let mut server = DynamoDb {
                _dir: dir,
                port,
                process,
            };
            while Instant::now() < until && server.process.try_wait().unwrap().is_none() {
                if server.send("ListTables", &serde_json::json!({})).is_some() {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("the server did not start");
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the server answers an operation, such as `PutItem`. Both are DynamoDB's JSON.
    #[track_caller]
    pub fn call(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.send(operation, body).expect("the server answers");
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_else(|error| {
            panic!("{operation}: {error}: {}", String::from_utf8_lossy(&answer))
        });
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// Writes items, which are DynamoDB's JSON without `Item`.
    #[track_caller]
    pub fn put(&self, table: &str, items: &[Value]) {
        for items in items.chunks(25) {
            let requests = items
                .iter()
                .map(|item| serde_json::json!({"PutRequest": {"Item": item}}))
                .collect();
            let mut tables = serde_json::Map::new();
            tables.insert(table.to_owned(), Value::Array(requests));
            self.call(
                "BatchWriteItem",
                &serde_json::json!({"RequestItems": tables}),
            );
        }
    }

    /// Status and body of an answer; none if there is none.
    fn send(&self, operation: &str, body: &Value) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=weir/20260101/{REGION}/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=none\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let status = answer
            .get(9..12)
            .and_then(|code| std::str::from_utf8(code).ok())?;
        Some((status.parse().ok()?, answer.split_off(head + 4)))
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        // Its tables go with it, and it has no children: nothing is to be ended well.
        self.end();
    }
}

/// A Python that has moto: the one that `WEIR_MOTO_PYTHON` names, or one of its own in the user's
/// cache folder, which is made where it is missing.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("WEIR_MOTO_PYTHON") {
        return PathBuf::from(python);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .expect("a home folder")
        .join("weir");
    let folder = cache.join(format!("moto-{MOTO}"));
    std::fs::create_dir_all(&cache).unwrap();
    // Tests of several processes may come here at the same time: one installs, the others wait.
    let lock = File::create(cache.join(format!("moto-{MOTO}.lock"))).unwrap();
    lock.lock().unwrap();
    let python = folder.join("bin/python");
    if !works(&python) {
        install(&folder, &python);
        assert!(
            works(&python),
            "moto was installed into {}, and cannot be started",
            folder.display()
        );
    }
    python
}

/// Whether this Python has moto.
fn works(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import moto.server, moto.dynamodb.responses"]);
    command.stdin(Stdio::null());
    command.output().is_ok_and(|output| output.status.success())
}

fn install(folder: &Path, python: &Path) {
    eprintln!("installing moto {MOTO} into {}", folder.display());
    let hint = "hint: install Python with venv and pip (Debian, Ubuntu: sudo apt-get install python3-venv), \
                or name a Python that has moto in WEIR_MOTO_PYTHON";
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}\n{hint}"));
        assert!(
            output.status.success(),
            "{command:?}: {}{}\n{hint}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    };
    // What was begun before is of no use.
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(folder));
    run(Command::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg(format!("moto[dynamodb]=={MOTO}"))
        .args(PACKAGES));
}
