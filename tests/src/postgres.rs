//! A real PostgreSQL server on this machine, for one test.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// The superuser's password.
pub const PASSWORD: &str = "pA55word-canary";

/// A server on a free port of the loopback, with data of its own. It ends with this value.
pub struct Postgres {
    bin: PathBuf,
    dir: TempDir,
    port: u16,
    process: Option<Child>,
    /// As whom the server runs, where the tests run as root.
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// A new server, with the superuser `weir` and the database `weir`.
    pub fn start() -> Postgres {
        let bin = programs();
        let dir = TempDir::new().unwrap();
        // Root's own folders nobody else may look into, and the server is not run as root.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let user = is_root().then(|| ids_of("postgres"));
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let password = dir.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if let Some((uid, gid)) = user {
            chown(&data, Some(uid), Some(gid)).unwrap();
            chown(&password, Some(uid), Some(gid)).unwrap();
        }
        let mut server = Postgres {
            bin,
            dir,
            port: 0,
            process: None,
            user,
        };
        let mut initdb = server.program("initdb");
        initdb
            .args(["--no-sync", "--username=weir", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .arg(format!("--pwfile={}", password.display()))
            .arg(format!("--pgdata={}", data.display()));
        let made = initdb.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.up();
        server.sql_in("postgres", "create database weir");
        server
    }

    /// Starts the server, after it was ended.
    pub fn up(&mut self) {
        let until = Instant::now() + START;
        // Between finding a port and using it another may take it: then the process ends.
        while Instant::now() < until {
            if self.port == 0 {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                self.port = listener.local_addr().unwrap().port();
            }
            let mut command = self.program("postgres");
            command
                .arg("-D")
                .arg(self.dir.path().join("data"))
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
                .args(["-c", "unix_socket_directories=", "-c", "max_connections=40"])
                .arg("-p")
                .arg(self.port.to_string())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut process = command.spawn().unwrap();
            while Instant::now() < until {
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.answers() {
                    self.process = Some(process);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            let _ = process.wait();
            self.port = 0;
        }
        panic!("the server did not start");
    }

    fn answers(&self) -> bool {
        let mut command = self.psql("postgres");
        command.args(["-c", "select 1"]);
        command.output().unwrap().status.success()
    }

    /// Ends the server at once, as a crash would.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Its children end when they see that it is gone.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the server, or of `port` in front of it.
    pub fn url(&self, port: u16) -> String {
        format!("postgres://weir:{PASSWORD}@127.0.0.1:{port}/weir?sslmode=disable")
    }

    /// What `psql` prints of a query: a line for each row, fields between `|`.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        self.sql_in("weir", sql)
    }

    /// `psql` in the database `weir`, for what reads from its input.
    pub fn client(&self) -> Command {
        self.psql("weir")
    }

    fn sql_in(&self, database: &str, sql: &str) -> Vec<String> {
        let output = self.psql(database).args(["-c", sql]).output().unwrap();
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"])
            .args(["-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "weir"])
            .arg("-p")
            .arg(self.port.to_string())
            .arg("-d")
            .arg(database)
            .env("PGPASSWORD", PASSWORD)
            .env("PGTZ", "UTC");
        command
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // Its fast end: it takes its children with it.
            let _ = Command::new("kill")
                .args(["-INT", &process.id().to_string()])
                .status();
        }
        if let Some(mut process) = self.process.take() {
            let _ = process.wait();
        }
    }
}

/// The folder of the server's programs: the newest that Debian's packages have put on the machine, unless
/// `WEIR_POSTGRES_BIN` names another.
fn programs() -> PathBuf {
    if let Some(bin) = std::env::var_os("WEIR_POSTGRES_BIN") {
        return PathBuf::from(bin);
    }
    let version = |path: &Path| -> u32 {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or_default()
    };
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("bin/postgres").is_file())
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
        .expect("a PostgreSQL server: `cargo xtask test` installs it")
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// The numbers of a user and its group.
fn ids_of(user: &str) -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(user))
        .expect("the packages of PostgreSQL make its user");
    let number = |index: usize| line.split(':').nth(index).unwrap().parse().unwrap();
    (number(2), number(3))
}
