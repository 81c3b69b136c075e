//! Rows a second and peak memory of the whole synpuf pipeline, on 250 thousand and on a million
//! generated drug events. It measures and prints; it asserts nothing but that the runs succeed.
//!
//! ```text
//! cargo bench -p weir-tests --bench pipeline        # WEIR_BIN=… for another binary
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot measure has nothing to say"
)]

use std::fs;
use std::process::Stdio;

use weir_generate::synpuf::{self, Options, Table};
use weir_tests::{Scene, built, timed};

/// Drug events, in the order in which they are measured.
const SIZES: [u64; 2] = [250_000, 1_000_000];

struct Measured {
    rows: u64,
    bytes: u64,
    seconds: f64,
    peak_kib: u64,
}

fn main() {
    // `cargo test --benches` asks for a list or a trial; there is none.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let binary = built::weir();
    println!("weir: {}", binary.display());
    println!("cores: {}", std::thread::available_parallelism().unwrap());
    println!(
        "{:>12} {:>12} {:>9} {:>9} {:>12} {:>9} {:>10}",
        "drug events", "rows in all", "MiB", "seconds", "rows/second", "MiB/s", "peak MiB"
    );
    for drug_events in SIZES {
        let Measured {
            rows,
            bytes,
            seconds,
            peak_kib,
        } = measure(drug_events);
        let mib = bytes as f64 / f64::from(1 << 20);
        println!(
            "{drug_events:>12} {rows:>12} {mib:>9.1} {seconds:>9.2} {:>12.0} {:>9.1} {:>10.1}",
            rows as f64 / seconds,
            mib / seconds,
            peak_kib as f64 / 1024.0
        );
    }
    println!(
        "rows in all: rows of CMS's files; each is landed as text, then typed and checked by two plugins."
    );
}

fn measure(drug_events: u64) -> Measured {
    let scene = Scene::new();
    let landing = scene.path("landing");
    let options = Options {
        seed: 5,
        beneficiaries: 4_000,
        inpatient: 2_000,
        outpatient: 12_000,
        drug_events,
        // The figures that are kept are of narrow rows.
        carrier: 0,
        ..Options::for_beneficiaries(4_000)
    };
    let manifest = synpuf::generate(&landing, &options).unwrap();
    let files = fs::read_dir(&landing).unwrap().map(|entry| entry.unwrap());
    let csv = files.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "csv"));
    let bytes = csv.map(|entry| entry.metadata().unwrap().len()).sum();
    // The plugins are compiled once, as on any machine that has run them before.
    let plan = scene
        .weir(["plan"])
        .arg(built::pipeline("synpuf"))
        .arg("--param")
        .arg(format!("landing={}", landing.display()))
        .stdout(Stdio::null())
        .status();
    assert!(plan.unwrap().success());
    let (seconds, peak_kib) = timed(scene.synpuf_command(&landing));
    assert_eq!(scene.count("cleansed.prescription_drug"), drug_events);
    Measured {
        rows: Table::ALL.iter().map(|table| manifest.rows(*table)).sum(),
        bytes,
        seconds,
        peak_kib,
    }
}
