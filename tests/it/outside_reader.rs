//! Another implementation opens the tables: Python's `deltalake` finds every value that the CSV
//! files hold.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Ended, Scene, built};

const SCRIPT: &str = include_str!("outside_reader.py");

/// Versions are pinned, so that a failure is Weir's.
const PACKAGES: [&str; 2] = ["deltalake==1.6.6", "pyarrow==26.0.1"];

/// Python with the packages, in a folder that is made once. None where the machine has no Python
/// or cannot fetch packages, which is a failure in CI.
pub(crate) fn python() -> Option<PathBuf> {
    let venv = built::cache("outside-reader");
    let python = venv.join("bin/python");
    let works = |python: &Path| {
        Command::new(python)
            .args([
                "-c",
                "import deltalake, pyarrow; print(deltalake.__version__)",
            ])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if works(&python) {
        return Some(python);
    }
    let steps: [(PathBuf, Vec<&str>); 2] = [
        (
            "python3".into(),
            vec!["-m", "venv", "--clear", venv.to_str()?],
        ),
        (
            python.clone(),
            [vec!["-m", "pip", "install", "--quiet"], PACKAGES.to_vec()].concat(),
        ),
    ];
    for (program, arguments) in steps {
        let why = match Command::new(&program).args(&arguments).output() {
            Ok(output) if output.status.success() => continue,
            Ok(output) => Ended::from(output).stderr,
            Err(error) => error.to_string(),
        };
        let what = format!(
            "{} {} failed: {why}",
            program.display(),
            arguments.join(" ")
        );
        assert!(
            env::var_os("CI").is_none(),
            "no outside reader: {what}\nhint: install Python 3 with venv, and let pip reach a package index"
        );
        eprintln!("skipped: no outside reader: {what}");
        return None;
    }
    Some(python)
}

fn compare(landing: &Path) {
    let Some(python) = python() else { return };
    let scene = Scene::new();
    scene.run_synpuf(landing).expect_code_of(&[0, 3]);
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(scene.lake())
        .arg(landing)
        .output()
        .unwrap();
    let ended = Ended::from(output).expect_code(0);
    eprint!("{}", ended.stdout);
    assert!(ended.stdout.contains("every value was found"));
}

#[test]
fn every_value_of_cms_s_files_is_found() {
    let Some(sample) = built::real_data("cms_de_synpuf_bfd/test_b") else {
        return;
    };
    compare(&sample);
}

#[test]
fn every_value_of_dirty_files_is_found() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    let options = Options {
        seed: 41,
        dirt: Dirt::everywhere(0.02),
        ..Options::for_beneficiaries(500)
    };
    synpuf::generate(&landing, &options).unwrap();
    compare(&landing);
}
