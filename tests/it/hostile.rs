//! The hostile guests of `tests/hostile`, each in a pipeline: `weir` says what happened and what to
//! do, is not brought down, leaves the targets as they were, and runs an honest plugin afterwards.
//! What exactly stops each guest is the sandbox's business (`host/sandbox/tests/hostile`).

use std::fs;

use weir_roster::Guest;
use weir_tests::{Ended, Scene, commit_logs};

use crate::visits::Visits;

/// How a run with a guest ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It fails, or is refused when it is planned.
    Failed,
    /// It fails, and may be tried again.
    Retry,
    /// It succeeds: what the guest does is its right, or has no effect.
    Done,
    /// It succeeds, with rows in quarantine.
    Quarantined,
}

/// All fail but these.
fn ends(guest: &str) -> Ends {
    match guest {
        "asks_to_be_tried_again" => Ends::Retry,
        // It gets nothing, or less than it asked for, and does not mind.
        "asks_while_describing"
        | "binds_by_chance"
        | "calls_the_host_from_start"
        | "counts_what_is_no_number"
        | "describes_with_control_characters"
        | "discovers_by_turns"
        | "floods_metrics"
        | "floods_stderr_without_lines"
        | "floods_stdout"
        | "floods_the_log"
        | "grows_memory_and_takes_no_for_an_answer"
        | "keeps_a_canary"
        | "keeps_a_canary_everywhere"
        | "leaks_by_log"
        | "leaks_by_metric"
        | "leaks_by_stderr"
        | "leaks_by_stdout"
        | "logs_10_megabytes"
        | "orders_by_hash"
        | "reads_stdin"
        | "scans_its_memory"
        | "sleeps_a_year"
        | "takes_every_handle"
        | "trusts_its_snapshot"
        | "writes_every_nan" => Ends::Done,
        // A stage may demand one row for each; these do not.
        "doubles_rows" | "drops_rows" | "drops_rows_of_one_output" | "reorders_rows" => Ends::Done,
        // Bombs that compile are harmless.
        "has_20000_functions"
        | "has_20000_types"
        | "has_50000_locals"
        | "has_a_huge_function"
        | "nests_20000_blocks" => Ends::Done,
        "emits_what_it_rejects" | "leaks_by_rejection" | "rejects_in_a_list_of_millions" => {
            Ends::Quarantined
        }
        _ => Ends::Failed,
    }
}

/// The stage that a guest of each world stands in; a source stands before them.
fn stage(guest: &str, component: &[u8]) -> &'static str {
    let exports = |interface: &str| {
        let name = format!("weir:plugin/{interface}@0.1.0");
        component
            .windows(name.len())
            .any(|bytes| bytes == name.as_bytes())
    };
    match guest {
        _ if exports("folder") => "fold",
        _ if exports("source-plugin") => SOURCE,
        "fails_no_row" | "fails_while_finishing" | "loops_in_a_check" => "plugin_check",
        // A decoder stands nowhere yet: it is refused as a transform.
        _ => "transform",
    }
}

/// Enough rows for several batches where a guest waits for a later one.
fn rows(guest: &str) -> u64 {
    match guest {
        "traps_in_the_third_batch" | "grows_over_batches" => 30_000,
        _ => 100,
    }
}

/// How long a guest may run: one that never ends is waited for, one that does much and ends has time on a slow
/// machine too.
fn deadline(ends: &Ends) -> &'static str {
    match ends {
        Ends::Done | Ends::Quarantined => "10s",
        Ends::Failed | Ends::Retry => "200ms",
    }
}

/// What a guest is that stands in no stage.
const SOURCE: &str = "source";

/// A pipeline that reads a stream of the component `guest.wasm`, which may ask where nobody answers.
fn reading(deadline: &str, mode: &str) -> String {
    format!(
        r#"weir = 1
name = "people"

[zone.raw]

[plugins]
guest = {{ component = "guest.wasm" }}

[[step]]
name = "people"

[step.read]
source = "guest"
stream = "people"

[step.read.grant]
memory = "16MiB"
deadline = "{deadline}"
http = [{{ url = "http://127.0.0.1:9/granted/", private = true }}]

[[step.write]]
table = "raw.people"
mode = "{mode}"
"#
    )
}

/// A pipeline of one stage, with the component `guest.wasm`.
fn pipeline(kind: &str, deadline: &str, writes: &str) -> String {
    format!(
        r#"weir = 1
name = "visits"

[zone.raw]

[plugins]
guest = {{ component = "guest.wasm" }}

[[step]]
name = "visits"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64 not null", born = "date", state = "string", amount = "decimal(10,2)" }} }}

[[step.stage]]
{kind} = "guest"
grant = {{ columns = ["*"], memory = "16MiB", deadline = "{deadline}" }}

{writes}"#
    )
}

/// Where the one output goes.
const WRITE: &str = r#"[[step.write]]
table = "raw.visits"
mode = "replace"
"#;
/// Where two outputs go.
const WRITES: &str = r#"[[step.write]]
output = "out"
table = "raw.visits"
mode = "replace"

[[step.write]]
output = "second"
table = "raw.second"
mode = "replace"
"#;

fn run(scene: &Scene, (kind, deadline): (&str, &str), writes: &str, component: Vec<u8>) -> Ended {
    scene.file("guest.wasm", component);
    let text = match kind {
        SOURCE => reading(deadline, "replace"),
        _ => pipeline(kind, deadline, writes),
    };
    let pipeline = scene.file("visits.toml", text);
    scene.run(&pipeline, &[])
}

/// The names of all files below the lake that a table could refer to.
fn files(scene: &Scene) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![scene.lake().join("raw")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn contain(name: &str) {
    let guest = Guest::named(name).unwrap();
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..rows(name)));
    run(&scene, ("transform", "10s"), WRITE, weir_roster::honest()).expect_code(0);
    let (logs, before) = (commit_logs(&scene.lake()), files(&scene));

    let writes = match name {
        "drops_rows_of_one_output" => WRITES,
        _ => WRITE,
    };
    // No code at all would be a signal: whatever a guest does, it does not bring `weir` down.
    let component = guest.component();
    let how = (stage(name, &component), deadline(&ends(name)));
    let ended = run(&scene, how, writes, component);
    match ends(name) {
        Ends::Done => drop(ended.expect_code(0)),
        Ends::Quarantined => drop(ended.expect_code(3)),
        how @ (Ends::Failed | Ends::Retry) => {
            let codes: &[i32] = if how == Ends::Retry { &[75] } else { &[1, 2] };
            let ended = ended
                .expect_code_of(codes)
                .says(&["plugin 'guest'", "hint: "]);
            assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
            assert!(
                commit_logs(&scene.lake()) == logs,
                "a table has another log than before"
            );
            // A failed run may leave files that no table refers to, and takes none away.
            let now = files(&scene);
            let gone: Vec<&String> = before.iter().filter(|file| !now.contains(file)).collect();
            assert!(gone.is_empty(), "{gone:?}");
        }
    }

    run(&scene, ("transform", "10s"), WRITE, weir_roster::honest()).expect_code(0);
    assert_eq!(scene.count("raw.visits"), rows(name));
}

/// One test for each guest.
macro_rules! contained {
    ($name:ident) => {
        #[test]
        fn $name() {
            contain(stringify!($name));
        }
    };
}

weir_roster::foreach_guest!(contained);

/// Sources that are read on from where they were, and never say that they are done: none is asked for ever, and
/// nothing of them is written.
#[test]
fn a_source_that_comes_to_no_end_is_stopped() {
    for (name, says) in [
        (
            "reads_on_for_ever",
            "gave 10000 pages without rows, one behind the other",
        ),
        (
            "stands_still",
            "gave a page without rows and with the state before",
        ),
        ("moves_on_and_fails", "no more today"),
    ] {
        let scene = Scene::new();
        scene.file("guest.wasm", Guest::named(name).unwrap().component());
        let file = scene.file("people.toml", reading("10s", "append"));
        scene
            .run(&file, &[])
            .expect_code(1)
            .says(&["plugin 'guest'", says, "hint: "]);
        assert!(commit_logs(&scene.lake()).is_empty(), "{name}");
    }
}

/// A page is kept whole or not at all: the row before the fault is there, once, however often it is tried.
#[test]
fn what_a_source_gave_before_it_failed_is_there_once() {
    let scene = Scene::new();
    let component = Guest::named("traps_after_a_page").unwrap().component();
    scene.file("guest.wasm", component);
    let file = scene.file("people.toml", reading("10s", "append"));
    for _ in 0..2 {
        scene
            .run(&file, &[])
            .expect_code(1)
            .says(&["plugin 'guest'", "hint: "]);
        assert_eq!(scene.count("raw.people"), 1);
    }
}
