//! Loads into and reads from databases, beside their own bulk tools, on rows of the shape of CMS's
//! prescriber-by-drug file (22 columns). It measures and prints; it asserts nothing but that all rows arrive.
//!
//! ```text
//! cargo bench -p weir-tests --bench databases -- [postgres] [mariadb] [sqlite]
//! # WEIR_BIN=… for another binary, WEIR_BENCH_ROWS=… for other than 5 million rows,
//! # WEIR_BENCH_PEERS=1 to install dlt and Sling into a temporary folder and measure them too
//! ```
//!
//! Both sides begin with an empty database each time, take turns, and are measured three times; the middle one
//! counts. Figures are of one machine that runs both the server and its client. Peers are measured once, after the
//! others: they differ by factors.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot measure has nothing to say"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

mod drugs;

use drugs::{COLUMNS, generate};
use weir_tests::{MariaDb, Postgres, Scene, built, timed, try_timed};

/// Measures a database with rows of a CSV file, so many, and with the peers that are installed.
type Measure = fn(&Scene, &Path, u64, Option<&Peers>);

/// How long a command took, in seconds, and its peak memory in KiB.
type Measured = (f64, u64);

/// Other tools that move rows between files and databases.
struct Peers {
    scripts: PathBuf,
    /// Python with dlt.
    python: PathBuf,
    sling: PathBuf,
}

impl Peers {
    /// Installed below `folder`, in the versions that `tests/bench/databases/requirements.txt` names.
    fn install(folder: &Path) -> Peers {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/databases");
        let run = |command: &mut Command| assert!(command.status().unwrap().success());
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let python = folder.join("bin/python");
        run(Command::new(&python)
            .args(["-m", "pip", "--quiet", "install", "--requirement"])
            .arg(scripts.join("requirements.txt")));
        let place = "import os, sling_linux_amd64 as s; print(os.path.join(os.path.dirname(s.__file__), 'bin/sling-linux-amd64'))";
        let place = Command::new(&python).args(["-c", place]).output().unwrap();
        assert!(place.status.success(), "{place:?}");
        let sling = PathBuf::from(String::from_utf8(place.stdout).unwrap().trim());
        run(Command::new("chmod").arg("+x").arg(&sling));
        Peers {
            scripts,
            python,
            sling,
        }
    }

    /// dlt, told what to do.
    fn dlt(&self, arguments: &[&str]) -> Measured {
        let mut command = Command::new(&self.python);
        command
            .arg(self.scripts.join("dlt_peer.py"))
            .args(arguments);
        timed(command)
    }

    /// Sling, told what to do; `PEER` is the database at `url`. None if it does not get through.
    fn sling(&self, url: &str, arguments: &[&str]) -> Option<Measured> {
        let mut command = Command::new(&self.sling);
        command
            .env("PEER", url)
            .env("SLING_DISABLE_TELEMETRY", "true")
            .args(["run", "--mode", "full-refresh"])
            .args(arguments);
        try_timed(command)
    }

    /// Sling, from a CSV file into `table`.
    fn sling_loads(&self, url: &str, csv: &Path, table: &str) -> Option<Measured> {
        let from = format!("file://{}", csv.display());
        self.sling(
            url,
            &[
                "--src-stream",
                &from,
                "--tgt-conn",
                "PEER",
                "--tgt-object",
                table,
            ],
        )
    }
}

/// What a peer took, beside what Weir took.
fn told(name: &str, rows: u64, took: impl Into<Option<Measured>>, weir: f64) {
    let Some((seconds, peak)) = took.into() else {
        println!("  {name:<22} did not get through");
        return;
    };
    println!(
        "  {name:<22} {seconds:>10.2} {:>10} {:>7.2} {:>12.0} {:>10.0}",
        "",
        seconds / weir,
        rows as f64 / seconds,
        peak as f64 / 1024.0
    );
}

/// How often each side is measured.
const TRIALS: usize = 3;

fn main() {
    // `cargo test --benches` asks for a list or a trial; there is none.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let rows: u64 =
        std::env::var("WEIR_BENCH_ROWS").map_or(5_000_000, |rows| rows.parse().unwrap());
    let scene = Scene::new();
    let csv = scene.path("in/drugs.csv");
    generate(&csv, rows);
    println!("weir: {}", built::weir().display());
    println!(
        "cores: {}; {rows} rows of 22 columns, {} MiB of CSV",
        std::thread::available_parallelism().unwrap(),
        fs::metadata(&csv).unwrap().len() >> 20
    );
    let lake = pipeline(&scene, "lake", "", &read_csv(), "table = \"raw.drugs\"");
    timed(scene.run_command(&lake, &[]));
    println!(
        "{:<24} {:>10} {:>10} {:>7} {:>12} {:>10}",
        "", "native s", "weir s", "ratio", "rows/second", "peak MiB"
    );
    // As with cargo's own benchmarks, a name picks some.
    let picked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let picks = |name: &str| picked.is_empty() || picked.iter().any(|picked| picked == name);
    let all: [(&str, Measure); 3] = [
        ("postgres", postgres),
        ("mariadb", mariadb),
        ("sqlite", sqlite),
    ];
    let peers = std::env::var("WEIR_BENCH_PEERS").ok();
    let peers = peers.map(|_| Peers::install(&scene.path("peers")));
    for (_, measure) in all.into_iter().filter(|(name, _)| picks(name)) {
        measure(&scene, &csv, rows, peers.as_ref());
    }
    println!("ratio: the other tool's time by Weir's; above 1 Weir is faster.");
}

fn postgres(scene: &Scene, csv: &Path, rows: u64, peers: Option<&Peers>) {
    let server = Postgres::start();
    let connection = "[connections.mart]\nkind = \"postgres\"\nurl = { env = \"MART_URL\" }\n";
    let with_url = |mut command: Command| {
        command.env("MART_URL", server.url(server.port()));
        command
    };
    let count = || assert_eq!(server.sql("select count(*) from drugs"), [rows.to_string()]);
    let load = pipeline(
        scene,
        "to-postgres",
        connection,
        "table = \"raw.drugs\"",
        "connection = \"mart\"\ntable = \"drugs\"",
    );
    let weir = compare(
        "lake to PostgreSQL",
        rows,
        || {
            server.sql(&format!(
                "drop table if exists drugs; create table drugs ({})",
                in_sql()
            ));
            let seconds = seconds(|| {
                server.sql(&format!(
                    "\\copy drugs from '{}' (format csv, header)",
                    csv.display()
                ));
            });
            count();
            server.sql("drop table drugs");
            server.sql("checkpoint");
            seconds
        },
        || {
            let measured = timed(with_url(scene.run_command(&load, &[])));
            count();
            server.sql("drop table drugs");
            server.sql("checkpoint");
            measured
        },
    );
    if let Some(peers) = peers {
        let lake = scene.lake().join("raw/drugs");
        let url = server.url(server.port());
        let took = peers.dlt(&[
            "load",
            lake.to_str().unwrap(),
            "postgres",
            &url.replace("postgres://", "postgresql://"),
        ]);
        let sql = "select count(*) from dlt_peer.drugs";
        assert_eq!(server.sql(sql), [rows.to_string()]);
        server.sql("drop schema dlt_peer cascade");
        told("dlt", rows, took, weir);
        let took = peers.sling_loads(&url, csv, "public.drugs");
        if took.is_some() {
            count();
        }
        server.sql("drop table if exists drugs");
        told("Sling, from CSV", rows, took, weir);
    }
    server.sql(&format!("create table drugs ({})", in_sql()));
    server.sql(&format!(
        "\\copy drugs from '{}' (format csv, header)",
        csv.display()
    ));
    server.sql("vacuum analyze drugs");
    let out = scene.path("out.csv");
    let read = pipeline(
        scene,
        "from-postgres",
        connection,
        "connection = \"mart\", table = \"drugs\"",
        "table = \"raw.from_postgres\"",
    );
    let weir = compare(
        "PostgreSQL to lake",
        rows,
        || {
            seconds(|| {
                server.sql(&format!(
                    "\\copy drugs to '{}' (format csv, header)",
                    out.display()
                ));
            })
        },
        || timed(with_url(scene.run_command(&read, &[]))),
    );
    if let Some(peers) = peers {
        let url = server.url(server.port());
        let lake = scene.path("dlt-lake");
        let from = url.replace("postgres://", "postgresql+psycopg2://");
        let took = peers.dlt(&["unload", &from, lake.to_str().unwrap()]);
        told("dlt", rows, took, weir);
        let to = format!("file://{}", out.display());
        let took = peers.sling(
            &url,
            &[
                "--src-conn",
                "PEER",
                "--src-stream",
                "public.drugs",
                "--tgt-object",
                &to,
            ],
        );
        told("Sling, to CSV", rows, took, weir);
    }
    fs::remove_file(out).unwrap();
}

fn mariadb(scene: &Scene, csv: &Path, rows: u64, peers: Option<&Peers>) {
    let server = MariaDb::start();
    let connection =
        "[connections.mart]\nkind = \"mysql\"\nurl = { env = \"MART_URL\" }\ntls = \"off\"\n";
    let load = pipeline(
        scene,
        "to-mariadb",
        connection,
        "table = \"raw.drugs\"",
        "connection = \"mart\"\ntable = \"drugs\"",
    );
    let count = || {
        assert_eq!(
            server.sql("select count(*) from weir.drugs"),
            [rows.to_string()]
        );
        server.sql("drop table weir.drugs");
    };
    let weir = compare(
        "lake to MariaDB",
        rows,
        || {
            server.sql(&format!("use weir; create table drugs ({})", in_sql()));
            let seconds = seconds(|| {
                server.sql(&format!(
                    "use weir; load data local infile '{}' into table drugs character set utf8mb4 fields terminated by ',' optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines",
                    csv.display()
                ));
            });
            count();
            seconds
        },
        || {
            let mut command = scene.run_command(&load, &[]);
            command.env("MART_URL", server.url(server.port()));
            let measured = timed(command);
            count();
            measured
        },
    );
    if let Some(peers) = peers {
        let lake = scene.lake().join("raw/drugs");
        let url = server.url(server.port());
        let to = url.replace("mysql://", "mysql+pymysql://");
        server.sql("create database dlt_peer");
        server.sql("grant all on dlt_peer.* to 'weir'@'%'");
        let took = peers.dlt(&["load", lake.to_str().unwrap(), "sqlalchemy", &to]);
        let sql = "select count(*) from dlt_peer.drugs";
        assert_eq!(server.sql(sql), [rows.to_string()]);
        server.sql("drop database dlt_peer");
        told("dlt", rows, took, weir);
        let took = peers.sling_loads(&url, csv, "weir.drugs");
        if took.is_some() {
            count();
        }
        told("Sling, from CSV", rows, took, weir);
    }
}

fn sqlite(scene: &Scene, csv: &Path, rows: u64, peers: Option<&Peers>) {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        println!("lake to SQLite: there is no sqlite3 on this machine to compare with");
        return;
    }
    let file = scene.path("mart.sqlite");
    let connection = format!(
        "[connections.mart]\nkind = \"sqlite\"\npath = \"{}\"\n",
        file.display()
    );
    let load = pipeline(
        scene,
        "to-sqlite",
        &connection,
        "table = \"raw.drugs\"",
        "connection = \"mart\"\ntable = \"drugs\"",
    );
    let native = scene.path("native.sqlite");
    let weir = compare(
        "lake to SQLite",
        rows,
        || {
            let seconds = seconds(|| {
                let import = Command::new("sqlite3")
                    .arg(&native)
                    .arg(format!("create table drugs ({})", in_sql()))
                    .arg(".mode csv")
                    .arg(format!(".import --skip 1 '{}' drugs", csv.display()))
                    .status();
                assert!(import.unwrap().success());
            });
            fs::remove_file(&native).unwrap();
            seconds
        },
        || {
            let measured = timed(scene.run_command(&load, &[]));
            fs::remove_file(&file).unwrap();
            measured
        },
    );
    if let Some(peers) = peers {
        let lake = scene.lake().join("raw/drugs");
        let url = format!("sqlite:///{}", scene.path("peer.sqlite").display());
        let took = peers.dlt(&["load", lake.to_str().unwrap(), "sqlalchemy", &url]);
        told("dlt", rows, took, weir);
        let took = peers.sling_loads(&url, csv, "main.drugs");
        told("Sling, from CSV", rows, took, weir);
    }
}

/// Measures both sides in turns, and prints the middle ones; gives Weir's seconds.
fn compare(what: &str, rows: u64, native: impl Fn() -> f64, weir: impl Fn() -> Measured) -> f64 {
    let mut natives = Vec::new();
    let mut weirs = Vec::new();
    for _ in 0..TRIALS {
        natives.push(native());
        weirs.push(weir());
    }
    natives.sort_by(f64::total_cmp);
    weirs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (native, (weir, peak)) = (
        natives.swap_remove(TRIALS / 2),
        weirs.swap_remove(TRIALS / 2),
    );
    println!(
        "{what:<24} {native:>10.2} {weir:>10.2} {:>7.2} {:>12.0} {:>10.0}",
        native / weir,
        rows as f64 / weir,
        peak as f64 / 1024.0
    );
    weir
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// A pipeline of one step; gives its file.
fn pipeline(
    scene: &Scene,
    name: &str,
    connection: &str,
    read: &str,
    write: &str,
) -> std::path::PathBuf {
    scene.file(
        &format!("{name}.toml"),
        format!(
            "weir = 1\nname = \"{name}\"\n[zone.raw]\n{connection}[[step]]\nname = \"step\"\nread = {{ {read} }}\n[[step.write]]\n{write}\n"
        ),
    )
}

fn read_csv() -> String {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, data_type, _)| format!("{name} = \"{data_type}\""))
        .collect();
    format!(
        "files = \"in/drugs.csv\", format = \"csv\", schema = {{ {} }}",
        columns.join(", ")
    )
}

fn in_sql() -> String {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, _, sql)| format!("{name} {sql}"))
        .collect();
    columns.join(", ")
}
