//! `cargo xtask prove`: the tests of the commit protocol at full length.

use clap::Args;

use crate::stages::Stages;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Processes to kill, three of four with a lake on the local disk, one with a lake on S3
    #[arg(long, default_value_t = 2000)]
    kills: usize,
    /// Batches of the long run
    #[arg(long, default_value_t = 1000)]
    batches: usize,
    /// Failures of store calls to try, evenly out of all [default: all of them]
    #[arg(long)]
    faults: Option<usize>,
}

/// Tests of `weir-engine`: whose calls fail, their full names, and the variables that say how many.
const FAULTS: [(&str, &str, &str); 4] = [
    (
        "a run",
        "proof::faults::every_call_may_fail_in_every_way",
        "WEIR_FAULTS",
    ),
    (
        "a first run",
        "proof::faults::every_call_of_a_first_run_may_fail_in_every_way",
        "WEIR_FAULTS_FIRST",
    ),
    (
        "a replay",
        "proof::faults::every_call_of_a_replay_may_fail_in_every_way",
        "WEIR_FAULTS_REPLAY",
    ),
    (
        "a run that adds a column",
        "proof::faults::every_call_of_a_run_that_adds_a_column_may_fail_in_every_way",
        "WEIR_FAULTS_EVOLVING",
    ),
];
const KILLS: &str = "proof::crashes::kills_on_the_local_disk";
const KILLS_ON_S3: &str = "proof::crashes::kills_on_s3";
const OPTIMIZE: &str = "proof::upkeep::every_call_of_optimize_may_fail";
const VACUUM: &str = "proof::upkeep::every_call_of_vacuum_may_fail";
const RESTORE: &str = "proof::upkeep::every_call_of_restore_may_fail";
const CHECK: &str = "proof::upkeep::every_call_of_check_may_fail";
const LONG: &str = "proof::long::a_long_run_stays_as_it_was";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut stages = Stages::new("prove", 8 + FAULTS.len());
    let test = |name: &str| {
        // What is shipped is what is tried, and three times as fast.
        let mut command = workspace.cargo(["test", "--release", "--workspace", "--lib", "--quiet"]);
        command.args(["--", "--exact", name, "--nocapture"]);
        command
    };
    let faults = options.faults.unwrap_or(usize::MAX);
    for (whose, name, most) in FAULTS {
        stages.command(
            &format!("Let every call of {whose} to a store fail, in six ways"),
            test(name).env(most, faults.to_string()),
        )?;
    }
    for (what, name) in [
        ("Let every call of optimize fail", OPTIMIZE),
        ("Let every call of vacuum fail", VACUUM),
        ("Let every call of restore fail", RESTORE),
        ("Let every call of check fail", CHECK),
    ] {
        stages.command(what, test(name).env("WEIR_FAULTS", faults.to_string()))?;
    }
    let on_s3 = options.kills / 4;
    stages.command(
        "Kill processes with a lake on the local disk",
        test(KILLS).env("WEIR_KILLS", (options.kills - on_s3).to_string()),
    )?;
    stages.command(
        "Kill processes with a lake on S3",
        test(KILLS_ON_S3).env("WEIR_KILLS_S3", on_s3.to_string()),
    )?;
    stages.command(
        "Let writers race",
        workspace
            .cargo(["test", "--release", "--workspace", "--lib", "--quiet"])
            .args(["--", "proof::races"]),
    )?;
    stages.command(
        "Run a pipeline again and again",
        test(LONG).env("WEIR_BATCHES", options.batches.to_string()),
    )?;
    stages.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that no test has would run nothing, and pass.
    #[test]
    fn the_tests_are_there() {
        let workspace = Workspace::find().unwrap();
        let faults = FAULTS.iter().map(|(_, name, _)| *name);
        let others = [KILLS, KILLS_ON_S3, OPTIMIZE, VACUUM, RESTORE, CHECK, LONG];
        for name in faults.chain(others) {
            let (module, test) = name.rsplit_once("::").unwrap();
            let file = format!("host/engine/src/{}.rs", module.replace("::", "/"));
            let text = std::fs::read_to_string(workspace.root().join(file)).unwrap();
            assert!(text.contains(&format!("async fn {test}()")), "{name}");
        }
    }
}
