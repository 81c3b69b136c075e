//! Every faulty file in `tests/faults` is told as the `.stderr` beside it says.
//!
//! `BLESS=1 cargo test -p weir-pipeline` writes what is told now; read the difference before you
//! commit it. A file may begin with directives: `#! profile NAME`, `#! resolve name=value …` (else
//! it is checked without arguments).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use weir_pipeline::{Faults, LoadOptions, PipelineFile};

#[test]
fn faults_are_told_as_recorded() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir("tests/faults")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 25, "the folder is not where it should be");
    let mut wrong = Vec::new();
    for path in files {
        let told = match run(&path) {
            Ok(()) => panic!("{} has no fault", path.display()),
            Err(faults) => format!("{faults}\n"),
        };
        let golden = path.with_extension("stderr");
        if bless {
            fs::write(&golden, &told).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != told {
            wrong.push(format!("== {} ==\n{told}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as recorded (BLESS=1 records):\n{}",
        wrong.join("\n")
    );
}

fn run(path: &Path) -> Result<(), Faults> {
    let text = fs::read_to_string(path).unwrap();
    let directive = |name: &str| {
        text.lines()
            .take_while(|line| line.starts_with("#!"))
            .find_map(|line| line.strip_prefix(&format!("#! {name}")))
            .map(str::trim)
    };
    let options = LoadOptions {
        profile: directive("profile"),
        env: &|name| (name == "HOME").then(|| "/home/u".to_owned()),
    };
    let file = PipelineFile::load(path, &options)?;
    match directive("resolve") {
        None => file.check(),
        Some(args) => {
            let args: BTreeMap<String, String> = args
                .split_whitespace()
                .map(|arg| arg.split_once('=').unwrap())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            file.resolve(&args).map(drop)
        }
    }
}
