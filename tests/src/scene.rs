//! A folder of its own for one test, and `weir` in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Ended, built};

/// A test's folder. The lake is `lake` in it, the warehouse where it lies by default; all is
/// removed with the scene.
pub struct Scene {
    dir: TempDir,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// An empty folder.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("weir-test-")
            .tempdir()
            .expect("a temporary folder");
        // What `weir` itself makes in TMPDIR can be seen there.
        fs::create_dir(dir.path().join("tmp")).expect("a folder");
        Self { dir }
    }

    /// A path in the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The lake's folder, which `weir` makes.
    pub fn lake(&self) -> PathBuf {
        self.path("lake")
    }

    /// The warehouse's file.
    pub fn warehouse(&self) -> PathBuf {
        self.lake().join("warehouse.sqlite")
    }

    /// Writes a file, and the folders above it.
    pub fn file(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
        fs::write(&path, content).expect("a file");
        path
    }

    /// `weir` with these arguments: in the scene's folder, with an environment that holds nothing
    /// of the tester's but the cache of compiled plugins that all tests share.
    pub fn weir<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(built::weir());
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.path("tmp"))
            .env("WEIR_CACHE", built::cache("compiled"))
            .stdin(Stdio::null());
        command
    }

    /// Runs `weir` to its end.
    pub fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        let output = self.weir(arguments).output().expect("weir starts");
        output.into()
    }

    /// `weir run PIPELINE`, into the scene's lake.
    pub fn run_command(&self, pipeline: &Path, params: &[(&str, &str)]) -> Command {
        let mut command = self.weir(["run"]);
        command.arg(pipeline).arg("--lake").arg(self.lake());
        for (name, value) in params {
            command.arg("--param").arg(format!("{name}={value}"));
        }
        command
    }

    /// Runs a pipeline into the scene's lake.
    pub fn run(&self, pipeline: &Path, params: &[(&str, &str)]) -> Ended {
        let output = self.run_command(pipeline, params).output();
        output.expect("weir starts").into()
    }

    /// Runs the synpuf pipeline on the files below `landing`.
    pub fn run_synpuf(&self, landing: &Path) -> Ended {
        self.synpuf_command(landing)
            .output()
            .expect("weir starts")
            .into()
    }

    /// `weir run` of the synpuf pipeline on the files below `landing`.
    pub fn synpuf_command(&self, landing: &Path) -> Command {
        let landing = landing.to_str().expect("a UTF-8 path");
        self.run_command(&built::pipeline("synpuf"), &[("landing", landing)])
    }

    /// Starts a command whose stderr can be followed line by line.
    pub fn start(&self, mut command: Command) -> Running {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("weir starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        Running {
            child,
            stderr: Box::new(stderr),
            seen: String::new(),
        }
    }

    /// The rows of a query, as JSON objects; null columns are left out of them.
    #[track_caller]
    pub fn sql(&self, query: &str) -> Vec<Value> {
        self.query(query, "json").json_lines()
    }

    /// The rows of a query as lines of CSV, header first.
    #[track_caller]
    pub fn sql_csv(&self, query: &str) -> Vec<String> {
        let lines = self.query(query, "csv").stdout;
        lines.lines().map(str::to_owned).collect()
    }

    /// The one value of a query, as CSV writes it.
    #[track_caller]
    pub fn value(&self, query: &str) -> String {
        match self.sql_csv(query).as_slice() {
            [_, value] => value.clone(),
            rows => panic!("not one row: {rows:?}"),
        }
    }

    /// The rows of a table.
    #[track_caller]
    pub fn count(&self, table: &str) -> u64 {
        let count = self.value(&format!("select count(*) from {table}"));
        count.parse().expect("a count")
    }

    #[track_caller]
    fn query(&self, query: &str, output: &str) -> Ended {
        self.weir(["sql", query, "--output", output, "--lake"])
            .arg(self.lake())
            .output()
            .map(Ended::from)
            .expect("weir starts")
            .expect_code(0)
    }

    /// The record of the latest run.
    #[track_caller]
    pub fn latest(&self) -> Value {
        self.weir(["show", "latest", "--output", "json", "--lake"])
            .arg(self.lake())
            .output()
            .map(Ended::from)
            .expect("weir starts")
            .expect_code(0)
            .json()
    }

    /// The warehouse, to read from.
    pub fn sqlite(&self) -> Connection {
        // Not read only: after a kill in the middle of a transaction SQLite rolls back what it finds,
        // for which it has to write.
        Connection::open_with_flags(self.warehouse(), OpenFlags::SQLITE_OPEN_READ_WRITE)
            .expect("the warehouse opens")
    }
}

/// A command under way.
pub struct Running {
    child: Child,
    stderr: Box<dyn BufRead + Send>,
    seen: String,
}

impl Running {
    /// Waits until stderr has a line with `text`; false if it ends before.
    pub fn until_says(&mut self, text: &str) -> bool {
        let mut line = String::new();
        while self.stderr.read_line(&mut line).expect("stderr is UTF-8") > 0 {
            self.seen.push_str(&line);
            if line.contains(text) {
                return true;
            }
            line.clear();
        }
        false
    }

    /// Sends a signal, by its name: `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .expect("`kill` is there");
        assert!(
            sent.success(),
            "the process is there until it is waited for"
        );
    }

    /// The process's identifier.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        self.stderr
            .read_to_string(&mut self.seen)
            .expect("stderr is UTF-8");
        let output = self.child.wait_with_output().expect("the process ends");
        Ended {
            stderr: self.seen,
            ..Ended::from(output)
        }
    }
}
