//! A real MariaDB server on this machine, for one test.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// How often its tables are tried to be made.
const INSTALLS: usize = 3;
/// The password of `weir`, and of the tests' own user.
pub const PASSWORD: &str = "pA55word-canary";
/// The tests' own user, who may do everything.
const TESTER: &str = "tester";
/// Who may run the server, where the tests run as root: the first of them that there is.
const USERS: [&str; 2] = ["mysql", "nobody"];

/// A server on a free port of the loopback, with data of its own. It ends with this value.
pub struct MariaDb {
    dir: TempDir,
    port: u16,
    process: Option<Child>,
    /// As whom the server runs, where the tests run as root.
    user: Option<(u32, u32)>,
    /// What it is started with besides.
    options: Vec<String>,
}

impl MariaDb {
    /// A new server, with the database `weir` and the user `weir`, who may do what Weir needs to
    /// load into any table.
    pub fn start() -> MariaDb {
        let dir = TempDir::new().unwrap();
        // Root's own folders nobody else may look into, and the server is not run as root.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let user = is_root().then(|| ids_of(&USERS));
        let data = dir.path().join("data");
        // The server runs it at each start: a statement a line.
        let first = format!(
            "create user if not exists '{TESTER}'@'%' identified by '{PASSWORD}';\n\
             grant all on *.* to '{TESTER}'@'%' with grant option;\n\
             create user if not exists 'weir'@'%' identified by '{PASSWORD}';\n\
             grant select, insert, update, delete, create, create temporary tables on *.* to 'weir'@'%';\n\
             create database if not exists weir character set utf8mb4;\n"
        );
        let init = dir.path().join("init.sql");
        std::fs::write(&init, first).unwrap();
        std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut server = MariaDb {
            dir,
            port: 0,
            process: None,
            user,
            options: Vec::new(),
        };
        server.install(&data);
        server.up();
        server
    }

    /// Makes the server's own tables. Several servers that do so at once may lack the machine's means for a
    /// moment (memory, requests of asynchronous I/O).
    fn install(&self, data: &Path) {
        let mut told = String::new();
        for _ in 0..INSTALLS {
            // What a failed one has left would be in the way.
            let _ = std::fs::remove_dir_all(data);
            std::fs::create_dir(data).unwrap();
            if let Some((uid, gid)) = self.user {
                chown(data, Some(uid), Some(gid)).unwrap();
            }
            let mut install = self.program("mariadb-install-db");
            install
                .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
                // The machine has only so many requests of asynchronous I/O.
                .arg("--innodb-use-native-aio=0")
                .arg("--auth-root-authentication-method=normal")
                .arg(format!("--datadir={}", data.display()))
                .arg(format!("--tmpdir={}", self.temporary().display()));
            if let Some(base) = base() {
                install.arg(format!("--basedir={}", base.display()));
            }
            let made = install.output().unwrap();
            if made.status.success() {
                return;
            }
            told = format!(
                "{}{}",
                String::from_utf8_lossy(&made.stdout),
                String::from_utf8_lossy(&made.stderr)
            );
        }
        panic!("{told}");
    }

    /// A folder of this server's own for its temporary tables: a server that starts deletes whatever looks like
    /// one in its folder, those of other servers too.
    fn temporary(&self) -> PathBuf {
        let folder = self.dir.path().join("tmp");
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            if let Some((uid, gid)) = self.user {
                chown(&folder, Some(uid), Some(gid)).unwrap();
            }
        }
        folder
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
            let dir = self.dir.path();
            let mut command = self.program("mariadbd");
            command
                .arg("--no-defaults")
                .arg(format!("--datadir={}", dir.join("data").display()))
                .arg(format!("--tmpdir={}", self.temporary().display()))
                .arg(format!("--init-file={}", dir.join("init.sql").display()))
                .arg(format!("--port={}", self.port))
                // Without a socket: its path may have 107 bytes at most.
                .args(["--bind-address=127.0.0.1", "--socket="])
                .args(["--skip-name-resolve", "--max-connections=40"])
                .args(["--local-infile=1", "--skip-log-bin"])
                // What is committed is written, though not to the disk itself: a crash of the server
                // does not lose it, and one of the machine need not be outlived.
                .arg("--innodb-flush-log-at-trx-commit=2")
                .args(["--innodb-use-native-aio=0", "--innodb-buffer-pool-size=32M"])
                .args(&self.options)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if dir.join("server.pem").is_file() {
                for (option, file) in [("cert", "server.pem"), ("key", "server.key")] {
                    command.arg(format!("--ssl-{option}={}", dir.join(file).display()));
                }
            }
            if let Some(base) = base() {
                command.arg(format!("--basedir={}", base.display()));
            }
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

    /// Ends the server well, and starts it anew with these options too.
    pub fn restart_with(&mut self, options: &[String]) {
        self.sql("shutdown");
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
        self.options = options.to_vec();
        self.up();
    }

    /// Starts the server anew with TLS, for the name `localhost` only; gives the certificate by which it is
    /// known.
    pub fn with_tls(&mut self) -> PathBuf {
        self.crash();
        let certificate = self.dir.path().join("server.pem");
        let key = self.dir.path().join("server.key");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "30"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("`openssl` is there");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        if let Some((uid, gid)) = self.user {
            chown(&key, Some(uid), Some(gid)).unwrap();
        }
        self.up();
        certificate
    }

    fn answers(&self) -> bool {
        let output = self.client("select 1").output().unwrap();
        output.status.success()
    }

    /// Ends the server at once, as a crash would.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the server, or of `port` in front of it.
    pub fn url(&self, port: u16) -> String {
        format!("mysql://weir:{PASSWORD}@127.0.0.1:{port}/weir")
    }

    /// What `mariadb` prints of statements that a user runs who may do everything: a line for each row,
    /// fields between `|`, `NULL` for a null. A tab, a line's end and a backslash in a value are `\t`,
    /// `\n` and `\\`.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        let output = self.client(sql).output().unwrap();
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.replace('\t', "|")).collect()
    }

    fn client(&self, sql: &str) -> Command {
        let mut command = Command::new(path_of("mariadb"));
        command
            .args(["--no-defaults", "--batch", "--skip-column-names"])
            .args(["--protocol=tcp", "--host=127.0.0.1"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--user={TESTER}"))
            .arg("--default-character-set=utf8mb4")
            .arg("--database=weir")
            .args(["--execute", sql])
            .env("MYSQL_PWD", PASSWORD)
            .stdin(Stdio::null());
        command
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(path_of(name));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Its data go with it, and it has no children: nothing is to be ended well.
        self.crash();
    }
}

/// One of the server's programs: from the folder that `WEIR_MARIADB_BIN` names, or else where Debian's
/// packages put it.
fn path_of(name: &str) -> PathBuf {
    let folders = match std::env::var_os("WEIR_MARIADB_BIN") {
        // What is unpacked and not installed has its scripts in a folder beside the programs.
        Some(bin) => vec![PathBuf::from(&bin), Path::new(&bin).join("../scripts")],
        None => vec![PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")],
    };
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .expect("a MariaDB server: `cargo xtask test` installs it")
}

/// The folder above the programs, where they are not Debian's.
fn base() -> Option<PathBuf> {
    let bin = PathBuf::from(std::env::var_os("WEIR_MARIADB_BIN")?);
    bin.parent().map(Path::to_path_buf)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// The numbers of the first of `users` that there is, and of its group.
fn ids_of(users: &[&str]) -> (u32, u32) {
    let known = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .iter()
        .find_map(|user| {
            known
                .lines()
                .find(|line| line.split(':').next() == Some(*user))
        })
        .expect("a user as whom the server can run");
    let number = |index: usize| line.split(':').nth(index).unwrap().parse().unwrap();
    (number(2), number(3))
}
