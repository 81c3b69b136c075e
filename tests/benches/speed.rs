//! What a pipeline takes with its transform and its checks in the sandbox, beside tools that run without one, in one
//! session on one machine. It measures and prints; it asserts that all of them give the same rows.
//!
//! ```text
//! cargo xtask bench --speed [--rows 5000000]        # builds weir with all optimisation, and the plugin
//! cargo bench -p weir-tests --bench speed -- [csv] [parquet] [start] [batches]
//! # WEIR_BIN=… for another binary, WEIR_BENCH_ROWS=… for other than 5 million rows, WEIR_BENCH_ROUNDS=… for other
//! # than 5 rounds, WEIR_BENCH_PEERS=… for others than polars,duckdb,datafusion,pyspark
//! ```
//!
//! The peers are installed from `tests/bench/speed/requirements.txt` into a folder below cargo's target folder. Each
//! round runs every tool once, so that what else the machine does hits all of them; PySpark, which takes many times as
//! long, has one turn.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot measure has nothing to say"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod drugs;

use weir_tests::{Scene, built, timed};

/// How long each turn took, in seconds, and the most memory of any, in KiB.
#[derive(Default)]
struct Turns {
    seconds: Vec<f64>,
    peak: u64,
}

impl Turns {
    fn add(&mut self, (seconds, peak): (f64, u64)) {
        self.seconds.push(seconds);
        self.peak = self.peak.max(peak);
    }

    /// The least, the median and the greatest.
    fn spread(&self) -> (f64, f64, f64) {
        let mut all = self.seconds.clone();
        all.sort_by(f64::total_cmp);
        (all[0], all[all.len() / 2], all[all.len() - 1])
    }
}

/// Tools that run the same without a sandbox, in Python's packages of them.
struct Peers {
    python: PathBuf,
    script: PathBuf,
    names: Vec<String>,
}

impl Peers {
    fn install() -> Peers {
        let folder = built::cache("speed-peers");
        let scripts = built::root().join("tests/bench/speed");
        let python = folder.join("bin/python");
        if !python.is_file() {
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        }
        succeed(
            Command::new(&python)
                .args(["-m", "pip", "--quiet", "install", "--requirement"])
                .arg(scripts.join("requirements.txt")),
        );
        let names = env::var("WEIR_BENCH_PEERS");
        let names = names.unwrap_or_else(|_| "polars,duckdb,datafusion,pyspark".to_owned());
        Peers {
            python,
            script: scripts.join("peers.py"),
            names: names.split(',').map(str::to_owned).collect(),
        }
    }

    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(arguments);
        command
    }

    /// That all outputs hold the same rows; how many.
    fn same(&self, outputs: &[&Path]) -> u64 {
        let outputs = outputs.iter().map(|path| path.to_str().unwrap());
        let output = self.command(["same"].into_iter().chain(outputs)).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let rows = String::from_utf8(output.stdout).unwrap();
        rows.trim().parse().unwrap()
    }
}

fn succeed(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn number(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn main() {
    // `cargo test --benches` asks for a list or a trial; there is none.
    if env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let picked: Vec<String> = env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let picks = |name: &str| picked.is_empty() || picked.iter().any(|picked| picked == name);
    let rows = number("WEIR_BENCH_ROWS", 5_000_000);
    println!("weir: {}", built::weir().display());
    println!(
        "cores: {}; {rows} rows of {} columns, to 8",
        std::thread::available_parallelism().unwrap(),
        drugs::COLUMNS.len()
    );
    let scene = Scene::new();
    if picks("csv") || picks("parquet") {
        let peers = Peers::install();
        let csv = scene.path("in/drugs.csv");
        drugs::generate(&csv, rows);
        println!("{} MiB of CSV", fs::metadata(&csv).unwrap().len() >> 20);
        if picks("csv") {
            transform(&scene, &peers, "csv", &csv, rows);
        }
        if picks("parquet") {
            let parquet = scene.path("in/drugs.parquet");
            let paths = [csv.to_str().unwrap(), parquet.to_str().unwrap()];
            succeed(&mut peers.command(["parquet"].into_iter().chain(paths)));
            transform(&scene, &peers, "parquet", &parquet, rows);
        }
    }
    if picks("start") {
        start(&scene);
    }
    if picks("batches") {
        batches(&scene);
    }
}

/// The component that does it.
fn component() -> PathBuf {
    let path = "tests/bench/guests/target/wasm32-wasip2/release/bench_drugs.wasm";
    let path = built::root().join(path);
    assert!(
        path.is_file(),
        "there is no {}: run cargo xtask bench --speed",
        path.display()
    );
    path
}

/// A pipeline that types, trims, upper-cases, filters and checks what lies at `files`.
fn pipeline(scene: &Scene, name: &str, form: &str, files: &Path, write: &str) -> PathBuf {
    let types = drugs::COLUMNS.iter().filter(|(name, ..)| {
        [
            "prscrbr_npi",
            "prscrbr_last_org_name",
            "prscrbr_state_abrvtn",
            "prscrbr_type",
            "brnd_name",
            "gnrc_name",
            "tot_clms",
            "tot_drug_cst",
        ]
        .contains(name)
    });
    let types: Vec<String> = types
        .map(|(name, of_lake, _)| format!("{name} = \"{of_lake}\""))
        .collect();
    let text = format!(
        r#"weir = 1
name = "{name}"
[zone.typed]
[plugins]
drugs = {{ component = "{component}" }}
[[step]]
name = "drugs"
read = {{ files = "{files}", format = "{form}", schema = {{ {types} }} }}
[[step.stage]]
transform = "drugs"
config    = {{ least = 100 }}
grant     = {{ columns = ["*"], memory = "64MiB" }}
[[step.stage]]
check = {{ not_null = ["presc_id", "brand", "drug"], range = {{ claims = {{ min = 11 }}, cost = {{ min = 0 }} }}, accepted = {{ state = ["NY", "CA", "TX", "FL", "WA"] }} }}
[[step.write]]
table = "typed.{name}"
{write}
"#,
        component = component().display(),
        files = files.display(),
        types = types.join(", "),
    );
    scene.file(&format!("{name}.toml"), text)
}

/// From a file to checked rows: Weir and the peers in turns.
fn transform(scene: &Scene, peers: &Peers, form: &str, input: &Path, rows: u64) {
    let name = format!("from_{form}");
    let file = pipeline(scene, &name, form, input, "");
    let table = scene.lake().join("typed").join(&name);
    // The first run compiles the plugin.
    timed(scene.run_command(&file, &[]));
    let mut weir = Turns::default();
    let mut of_peers: Vec<Turns> = peers.names.iter().map(|_| Turns::default()).collect();
    let rounds = number("WEIR_BENCH_ROUNDS", 5);
    let outputs: Vec<PathBuf> = peers
        .names
        .iter()
        .map(|peer| scene.path(&format!("out/{form}/{peer}.parquet")))
        .collect();
    fs::create_dir_all(scene.path(&format!("out/{form}"))).unwrap();
    for round in 0..rounds {
        fs::remove_dir_all(scene.lake()).unwrap();
        weir.add(timed(scene.run_command(&file, &[])));
        for ((peer, turns), output) in peers.names.iter().zip(&mut of_peers).zip(&outputs) {
            if peer == "pyspark" && round > 0 {
                continue;
            }
            if output.is_dir() {
                fs::remove_dir_all(output).unwrap();
            } else if output.is_file() {
                fs::remove_file(output).unwrap();
            }
            let arguments = [
                peer,
                form,
                input.to_str().unwrap(),
                output.to_str().unwrap(),
            ];
            turns.add(timed(peers.command(arguments)));
        }
    }
    let mut places = vec![table.as_path()];
    places.extend(outputs.iter().map(PathBuf::as_path));
    let kept = peers.same(&places);
    println!("\nfrom {form}, {rounds} rounds; {kept} rows of all are the same");
    println!(
        "{:<12} {:>9} {:>17} {:>12} {:>10} {:>9}",
        "", "median s", "(least, most)", "rows/second", "peak MiB", "weir is"
    );
    let median = weir.spread().1;
    let all = [("weir", &weir)].into_iter();
    let all = all.chain(peers.names.iter().map(String::as_str).zip(&of_peers));
    for (name, turns) in all {
        let (least, middle, most) = turns.spread();
        println!(
            "{name:<12} {middle:>9.2} {:>17} {:>12.0} {:>10} {:>8.2}x",
            format!("({least:.2}, {most:.2})"),
            rows as f64 / middle,
            turns.peak >> 10,
            median / middle,
        );
    }
}

/// `weir run` on ten rows, with compiled code in the cache.
fn start(scene: &Scene) {
    let csv = scene.path("few/drugs.csv");
    drugs::generate(&csv, 10);
    let file = pipeline(scene, "few", "csv", &csv, "");
    timed(scene.run_command(&file, &[]));
    let mut turns = Turns::default();
    for _ in 0..21 {
        turns.add(timed(scene.run_command(&file, &[])));
    }
    let (least, median, most) = turns.spread();
    println!(
        "\nweir run on 10 rows, 21 times: {:.0} ms ({:.0}, {:.0}), {} MiB",
        median * 1e3,
        least * 1e3,
        most * 1e3,
        turns.peak >> 10
    );
}

/// Batches of 100 rows, one by one: what the first ones take and what the last ones take.
fn batches(scene: &Scene) {
    let count = number("WEIR_BENCH_BATCHES", 1_000);
    let all = scene.path("all.csv");
    drugs::generate(&all, count * 100);
    let text = fs::read_to_string(&all).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let folder = scene.path("batches");
    fs::create_dir_all(&folder).unwrap();
    let glob = folder.join("*.csv");
    let file = pipeline(scene, "batches", "csv", &glob, "mode = \"append\"");
    let mut taken = Vec::new();
    for (number, batch) in rows.chunks(100).enumerate() {
        let path = folder.join(format!("{number:05}.csv"));
        fs::write(path, format!("{header}\n{}\n", batch.join("\n"))).unwrap();
        taken.push(timed(scene.run_command(&file, &[])).0);
    }
    let median = |some: &[f64]| {
        let mut some = some.to_vec();
        some.sort_by(f64::total_cmp);
        some[some.len() / 2] * 1e3
    };
    // The very first makes the table and compiles the plugin.
    let few = (taken.len() / 50).max(3);
    let (first, last) = (median(&taken[1..=few]), median(&taken[taken.len() - few..]));
    println!(
        "\n{count} batches of 100 rows: medians of {few} batches {first:.0} ms at first and {last:.0} ms at last, {:.2} times",
        last / first
    );
}
