//! `cargo xtask fuzz`: builds the fuzz targets with instrumentation and runs them.
//!
//! It does what `cargo fuzz run` does, with the flags of `cargo fuzz -s none`, but needs neither
//! `cargo fuzz` nor another toolchain. New inputs go to a corpus in the target folder; what is kept
//! in the repository changes with `--minimise` only.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;
use toml::Table;

use crate::stages::{Stages, exit_code, succeed};
use crate::workspace::Workspace;

/// Each is a binary in `fuzz/fuzz_targets`, a module of `tests/fuzzing` and a folder in `fuzz/corpus`.
const TARGETS: [&str; 5] = ["batch", "bind_schema", "csv", "json", "pipeline_file"];

/// Coverage of edges, counted, with what is compared; as `cargo fuzz` sets it.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
-Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// The sanitizer is no stable option of the compiler, which takes it all the same when told to.
const ADDRESS: &str = " -Zsanitizer=address";

/// An input that takes longer is a crash; so is one that needs more memory, in MiB.
const LONGEST_SECONDS: u64 = 20;
const MOST_MEMORY: u64 = 4096;

/// Where the executions so far are summed.
const LEDGER: &str = "fuzz/executions.toml";

#[derive(Args)]
pub(crate) struct Options {
    /// Targets to run: batch, bind_schema, csv, json, pipeline_file [default: all]
    targets: Vec<String>,
    /// Seconds for each target [default: 20]
    #[arg(long, conflicts_with = "runs")]
    seconds: Option<u64>,
    /// Executions of each target, instead of a time
    #[arg(long)]
    runs: Option<u64>,
    /// Build with AddressSanitizer, which sees what the types of Rust do not: several times slower
    #[arg(long)]
    asan: bool,
    /// Add the executions to fuzz/executions.toml
    #[arg(long)]
    record: bool,
    /// Run nothing, but make the kept corpora anew: from the seeds, and all that has been found
    #[arg(long, conflicts_with_all = ["seconds", "runs", "record", "asan"])]
    minimise: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let chosen = chosen(&options.targets)?;
    let fuzzer = Fuzzer::new(workspace, options.asan)?;
    let mut stages = Stages::new("fuzz", 1 + chosen.len());
    stages.run("Build the fuzz targets, with instrumentation", || {
        fuzzer.build(&chosen)
    })?;
    let mut summary = Vec::new();
    for target in &chosen {
        if options.minimise {
            stages.run(&format!("Make the corpus of {target} anew"), || {
                fuzzer.minimise(target)
            })?;
            continue;
        }
        let executions = stages.run(&format!("Fuzz {target}"), || {
            let found = fuzzer.run(target, options.seconds, options.runs);
            // What was executed counts, whatever came of it.
            if let (true, Some(executions)) = (options.record, fuzzer.executions(target)) {
                record(workspace, target, options.asan, executions)?;
            }
            found
        })?;
        summary.push(format!("  {target}: {executions} executions, no crash"));
    }
    stages.finish();
    for line in summary {
        eprintln!("{line}");
    }
    Ok(())
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&str>> {
    if let Some(unknown) = names.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        bail!(
            "there is no fuzz target '{unknown}'\nhint: the targets are {}",
            TARGETS.join(", ")
        );
    }
    Ok(match names.is_empty() {
        true => TARGETS.to_vec(),
        false => names.iter().map(String::as_str).collect(),
    })
}

struct Fuzzer<'a> {
    workspace: &'a Workspace,
    asan: bool,
    /// Where cargo puts what it builds, and where logs and growing corpora lie.
    folder: PathBuf,
    triple: String,
}

impl<'a> Fuzzer<'a> {
    fn new(workspace: &'a Workspace, asan: bool) -> anyhow::Result<Self> {
        let output = workspace.command("rustc").arg("-vV").output()?;
        let version = String::from_utf8(output.stdout)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self {
            workspace,
            asan,
            folder: workspace
                .target()
                .join(if asan { "fuzz-asan" } else { "fuzz" }),
            triple: host.context("rustc -vV names no host")?.to_owned(),
        })
    }

    fn build(&self, targets: &[&str]) -> anyhow::Result<()> {
        let mut command = self.workspace.cargo(["build", "--release"]);
        // With a target, build scripts and macros are left as they are.
        command
            .args(["--manifest-path", "fuzz/Cargo.toml", "--target"])
            .arg(&self.triple)
            .env("CARGO_TARGET_DIR", &self.folder)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        for target in targets {
            command.args(["--bin", target]);
        }
        let mut flags = INSTRUMENTED.to_owned();
        if self.asan {
            flags.push_str(ADDRESS);
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        succeed(command.env("RUSTFLAGS", flags))
    }

    fn binary(&self, target: &str) -> PathBuf {
        self.folder.join(&self.triple).join("release").join(target)
    }

    fn log(&self, target: &str) -> PathBuf {
        self.folder.join(format!("{target}.log"))
    }

    /// What the target found so far, beside what is kept in the repository.
    fn growing_corpus(&self, target: &str) -> PathBuf {
        // What one build finds serves the other.
        self.workspace.target().join("fuzz-corpus").join(target)
    }

    fn kept(&self, kind: &str, target: &str) -> PathBuf {
        self.workspace.root().join("fuzz").join(kind).join(target)
    }

    /// Fuzzes one target and gives its executions.
    fn run(&self, target: &str, seconds: Option<u64>, runs: Option<u64>) -> anyhow::Result<u64> {
        let artefacts = self.kept("artifacts", target);
        let growing = self.growing_corpus(target);
        for folder in [&artefacts, &growing] {
            fs::create_dir_all(folder)?;
        }
        let limit = match runs {
            Some(runs) => format!("-runs={runs}"),
            None => format!("-max_total_time={}", seconds.unwrap_or(20)),
        };
        let log = self.log(target);
        let mut command = self.workspace.command(self.binary(target));
        command
            .arg(growing)
            .arg(self.kept("corpus", target))
            .arg(limit)
            .arg(format!("-artifact_prefix={}/", artefacts.display()))
            .arg(format!("-timeout={LONGEST_SECONDS}"))
            .arg(format!("-rss_limit_mb={MOST_MEMORY}"))
            .arg("-print_final_stats=1")
            .stderr(Stdio::from(File::create(&log)?));
        let regressions = self.kept("regressions", target);
        if regressions.is_dir() {
            command.arg(regressions);
        }
        let ended = exit_code(&mut command);
        if !matches!(ended, Ok(0)) {
            self.tell_crash(target)?;
            bail!("{target} has found something: {}", log.display());
        }
        self.executions(target)
            .with_context(|| format!("{target} does not say what it did: {}", log.display()))
    }

    /// What the last run says at its end.
    fn executions(&self, target: &str) -> Option<u64> {
        let log = fs::read(self.log(target)).ok()?;
        executions(&String::from_utf8_lossy(&log))
    }

    /// The end of the log, where the input lies and how to run it again.
    fn tell_crash(&self, target: &str) -> anyhow::Result<()> {
        let log = fs::read(self.log(target))?;
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            eprintln!("  {line}");
        }
        const WRITTEN: &str = "Test unit written to ";
        let artefact = log.lines().find_map(|line| line.split(WRITTEN).nth(1));
        if let Some(artefact) = artefact {
            eprintln!(
                "\nTo run it again: {} {artefact}\n\
                 Once it is mended, keep it: move it to {} with a name that says what it is",
                self.binary(target).display(),
                self.kept("regressions", target).display()
            );
        }
        Ok(())
    }

    /// The smallest set of inputs that reaches all that the seeds, the kept and the found reach.
    fn minimise(&self, target: &str) -> anyhow::Result<()> {
        let seeds = self.folder.join("seeds").join(target);
        // With the whole workspace's features, as the tests are built.
        let arguments = ["build", "--quiet", "--workspace", "--example", "seeds"];
        succeed(&mut self.workspace.cargo(arguments))?;
        let mut command = self
            .workspace
            .command(self.workspace.binary("examples/seeds"));
        succeed(command.arg(target).arg(&seeds))?;

        let kept = self.kept("corpus", target);
        let new = self.folder.join("merged").join(target);
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        for folder in [&new, &kept, &self.growing_corpus(target)] {
            fs::create_dir_all(folder)?;
        }
        let mut merge = self.workspace.command(self.binary(target));
        // Edges only: how often each is taken would keep ten times the files.
        merge
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .args([&new, &kept])
            .arg(self.growing_corpus(target))
            .arg(&seeds)
            .stderr(Stdio::from(File::create(self.log(target))?));
        succeed(&mut merge)?;
        fs::remove_dir_all(&kept)?;
        copy_all(&new, &kept)
    }
}

/// Copies the files of a folder to a new one.
fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let mut files = 0;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        bytes += fs::copy(entry.path(), to.join(entry.file_name()))?;
        files += 1;
    }
    eprintln!("  {files} files, {bytes} bytes");
    Ok(())
}

/// The number of executions that libFuzzer prints at its end.
fn executions(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

/// Adds to the ledger.
fn record(workspace: &Workspace, target: &str, asan: bool, more: u64) -> anyhow::Result<()> {
    let path = workspace.root().join(LEDGER);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {LEDGER}"))?;
    let text = recorded(&text, target, asan, more)?;
    fs::write(&path, text).with_context(|| format!("cannot write {LEDGER}"))
}

fn recorded(ledger: &str, target: &str, asan: bool, more: u64) -> anyhow::Result<String> {
    // What stands before the first sum is the ledger's head, which stays.
    let (head, _) = ledger.split_once('[').context("the ledger is empty")?;
    let mut sums: Table = ledger.parse().context("the ledger is no TOML")?;
    let key = if asan { "with-asan" } else { "executions" };
    let sum = sums
        .get_mut(target)
        .and_then(|target| target.get_mut(key))
        .with_context(|| format!("the ledger has no {target}.{key}"))?;
    let before = sum.as_integer().context("a sum is an integer")?;
    *sum = (before + i64::try_from(more)?).into();
    Ok(format!("{head}{sums}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_and_added_up() {
        let log = "#2 INITED\nstat::number_of_executed_units: 1234\nstat::average: 5\n";
        assert_eq!(executions(log), Some(1234));
        assert_eq!(executions("#2 INITED\n"), None);
        let ledger = "# why\n[batch]\nexecutions = 10\nwith-asan = 1\n\n[csv]\nexecutions = 5\n";
        assert_eq!(
            recorded(ledger, "batch", false, 1234).unwrap(),
            "# why\n[batch]\nexecutions = 1244\nwith-asan = 1\n\n[csv]\nexecutions = 5\n"
        );
        assert!(
            recorded(ledger, "batch", true, 2)
                .unwrap()
                .contains("with-asan = 3")
        );
        assert!(recorded(ledger, "csv", true, 2).is_err());
    }

    #[test]
    fn the_ledger_and_the_targets_are_the_same() {
        let workspace = Workspace::find().unwrap();
        let root = workspace.root();
        let ledger = fs::read_to_string(root.join(LEDGER)).unwrap();
        let ledger: Table = ledger.parse().unwrap();
        assert!(ledger.keys().eq(TARGETS));
        for target in TARGETS {
            assert!(
                root.join(format!("fuzz/fuzz_targets/{target}.rs"))
                    .is_file()
            );
        }
    }

    #[test]
    fn unknown_targets_are_refused() {
        assert_eq!(chosen(&[]).unwrap(), TARGETS);
        assert_eq!(chosen(&["csv".to_owned()]).unwrap(), ["csv"]);
        let error = chosen(&["xml".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("hint: the targets are batch"), "{error}");
    }
}
