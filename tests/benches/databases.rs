//! Loads into and reads from databases, beside their own bulk tools, on rows of the shape of CMS's
//! prescriber-by-drug file (22 columns). It measures and prints; it asserts nothing but that all rows arrive.
//!
//! ```text
//! cargo bench -p weir-tests --bench databases -- [postgres] [mariadb] [sqlite]
//! # WEIR_BIN=… for another binary, WEIR_BENCH_ROWS=… for other than 5 million rows
//! ```
//!
//! Both sides begin with an empty database each time, take turns, and are measured three times; the middle one
//! counts. Figures are of one machine that runs both the server and its client.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot measure has nothing to say"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use weir_tests::{MariaDb, Postgres, Scene, built, timed};

/// Measures a database with rows of a CSV file, so many.
type Measure = fn(&Scene, &Path, u64);

/// How often each side is measured.
const TRIALS: usize = 3;

/// The columns, in CMS's order, with the type of each in the lake and in SQL.
const COLUMNS: [(&str, &str, &str); 22] = [
    ("prscrbr_npi", "int64", "bigint"),
    ("prscrbr_last_org_name", "string", "text"),
    ("prscrbr_first_name", "string", "text"),
    ("prscrbr_city", "string", "text"),
    ("prscrbr_state_abrvtn", "string", "text"),
    ("prscrbr_state_fips", "string", "text"),
    ("prscrbr_type", "string", "text"),
    ("prscrbr_type_src", "string", "text"),
    ("brnd_name", "string", "text"),
    ("gnrc_name", "string", "text"),
    ("tot_clms", "int64", "bigint"),
    ("tot_30day_fills", "decimal(12,1)", "decimal(12,1)"),
    ("tot_day_suply", "int64", "bigint"),
    ("tot_drug_cst", "decimal(14,2)", "decimal(14,2)"),
    ("tot_benes", "int64", "bigint"),
    ("ge65_sprsn_flag", "string", "text"),
    ("ge65_tot_clms", "int64", "bigint"),
    ("ge65_tot_30day_fills", "decimal(12,1)", "decimal(12,1)"),
    ("ge65_tot_drug_cst", "decimal(14,2)", "decimal(14,2)"),
    ("ge65_tot_day_suply", "int64", "bigint"),
    ("ge65_bene_sprsn_flag", "string", "text"),
    ("ge65_tot_benes", "int64", "bigint"),
];

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
    for (_, measure) in all.into_iter().filter(|(name, _)| picks(name)) {
        measure(&scene, &csv, rows);
    }
    println!("ratio: the native tool's time by Weir's; above 1 Weir is faster.");
}

fn postgres(scene: &Scene, csv: &Path, rows: u64) {
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
    compare(
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
    compare(
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
    fs::remove_file(out).unwrap();
}

fn mariadb(scene: &Scene, csv: &Path, rows: u64) {
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
    compare(
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
}

fn sqlite(scene: &Scene, csv: &Path, rows: u64) {
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
    compare(
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
}

/// Measures both sides in turns, and prints the middle ones.
fn compare(what: &str, rows: u64, native: impl Fn() -> f64, weir: impl Fn() -> (f64, u64)) {
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

/// Rows with as many different values as such files have, the same each time.
fn generate(path: &Path, rows: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    writeln!(out, "{}", names.join(",")).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for row in 0..rows {
        let (prescriber, drug) = (row / 22, next(3_000));
        let claims = 11 + next(900);
        let cost = claims * (300 + next(40_000));
        let (fills, days) = (claims * 11 + next(9), claims * 30);
        let (benes, older) = (11 + next(300), claims / 2);
        writeln!(
            out,
            "{},LASTNAME{},FIRST{},CITY {},{},{:02},Specialty {},S,BRAND {drug},GENERIC {},{claims},{}.{},{days},{}.{:02},{benes},{},{older},{}.{},{}.{:02},{},{},{}",
            1_003_000_000 + prescriber,
            prescriber % 90_000,
            prescriber % 7_000,
            prescriber % 9_000,
            ["NY", "CA", "TX", "FL", "WA"][usize::try_from(prescriber % 5).unwrap()],
            prescriber % 56,
            prescriber % 180,
            drug / 2,
            fills / 10,
            fills % 10,
            cost / 100,
            cost % 100,
            ["*", "#", "A"][usize::try_from(row % 3).unwrap()],
            fills / 20,
            fills % 10,
            cost / 200,
            cost % 100,
            days / 2,
            ["*", "#", "A"][usize::try_from(row % 3).unwrap()],
            benes / 2,
        )
        .unwrap();
    }
    out.flush().unwrap();
}
