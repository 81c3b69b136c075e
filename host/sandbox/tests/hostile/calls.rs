//! Rows 8 and 9: calls to the host with too much, with nonsense, too often.

use std::time::Duration;

use weir_sandbox::{Call, LimitKind, Processed};

use crate::field::{Attack, MEMORY, OUTPUT, Stop, stopped};

stopped! {
    rejects_4_billion_rows => Stop::Trap("out of bounds"),
    rejects_unaligned_rows => Stop::Trap("not aligned"),
    logs_outside_memory => Stop::Trap("out of bounds"),
    logs_4_billion_bytes => Stop::Trap("out of bounds"),
    logs_what_is_no_text => Stop::Trap("utf-8"),
    logs_at_no_level => Stop::Trap("discriminant"),
    logs_lone_surrogates => Stop::Trap("surrogate"),
    takes_handles_for_ever => Stop::Trap(""),
    blocks_on_a_forged_handle => Stop::Trap("unknown handle"),
    asks_for_a_terabyte_of_random => Stop::Trap("exceeds limit"),
}

/// The host does not wait for an answer inside of a question.
#[test]
pub(crate) fn calls_the_host_from_realloc() {
    let stop = Stop::Trap("cannot leave component instance");
    Attack::by("calls_the_host_from_realloc")
        .run()
        .stopped_at(Call::Bind, None, stop);
}

#[test]
pub(crate) fn asks_again_from_realloc() {
    let stop = Stop::Trap("cannot leave component instance");
    Attack::by("asks_again_from_realloc")
        .run()
        .stopped_at(Call::Bind, None, stop);
}

/// Guests that say more than their log has room for: the rest is counted and dropped.
macro_rules! flooded {
    ($($name:ident => $at_least:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let outcome = Attack::by(stringify!($name))
                .limits(|limits| limits.deadline = Duration::from_secs(10))
                .run()
                .unstopped();
            let dropped = outcome.usage.log_lines_dropped;
            assert!(dropped >= $at_least, "{dropped}");
        }
    )*};
}

flooded! {
    floods_the_log => 95_000,
    floods_stdout => 95_000,
    floods_stderr_without_lines => 900,
}

#[test]
pub(crate) fn floods_metrics() {
    let outcome = Attack::by("floods_metrics")
        .limits(|limits| limits.deadline = Duration::from_secs(10))
        .run()
        .unstopped();
    assert_eq!(outcome.usage.metrics.len(), 64);
    assert!(
        outcome
            .usage
            .metrics
            .keys()
            .all(|name| name.len() <= 64 + '…'.len_utf8())
    );
}

/// A sum that is no number would be one of nobody's.
#[test]
pub(crate) fn counts_what_is_no_number() {
    let outcome = Attack::by("counts_what_is_no_number").run().unstopped();
    let metrics = outcome.usage.metrics;
    assert_eq!(metrics["seen"], 1.0);
    assert_eq!(
        metrics["sum"],
        f64::MAX,
        "what would make it infinite is left out"
    );
}

/// One line is cut to what a line may hold.
#[test]
pub(crate) fn logs_10_megabytes() {
    let lines = std::sync::Arc::<crate::field::Lines>::default();
    let sink = lines.clone();
    Attack::by("logs_10_megabytes")
        .limits(|limits| limits.memory = 64 << 20)
        .terms(|terms| terms.speech = weir_sandbox::Speech::Kept(sink))
        .run()
        .unstopped();
    let lines = lines.all();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].1.len(), 1024 + '…'.len_utf8());
}

#[track_caller]
fn only_finding(given: &[Processed]) -> &weir_sandbox::Finding {
    assert_eq!(given[0].findings.len(), 1);
    &given[0].findings[0]
}

#[test]
pub(crate) fn rejects_with_10_megabytes() {
    let outcome = Attack::by("rejects_with_10_megabytes")
        .limits(|limits| {
            limits.memory = 64 << 20;
            limits.output_bytes = 64 << 20;
        })
        .run()
        .unstopped();
    let finding = only_finding(&outcome.given);
    assert_eq!(finding.rule.len(), 64 + '…'.len_utf8());
    assert_eq!(finding.message.len(), 1024 + '…'.len_utf8());
}

#[test]
pub(crate) fn raises_long_rules() {
    let outcome = Attack::by("raises_long_rules").run().unstopped();
    let finding = only_finding(&outcome.given);
    assert!(finding.rule.len() <= 64 + '…'.len_utf8());
    assert!(finding.rule.starts_with("r\\u{202e}r"), "{}", finding.rule);
    assert_eq!(finding.message, "\\u{1b}[2J");
}

#[test]
pub(crate) fn rejects_a_million_times() {
    let outcome = Attack::by("rejects_a_million_times")
        .limits(|limits| limits.deadline = Duration::from_secs(10))
        .run()
        .stopped(Stop::Limit(LimitKind::OutputBytes));
    assert!(outcome.usage.bytes_out > OUTPUT);
}

/// However often a row is named, it is kept once; and the time that this takes is bounded as a bulk
/// operation is.
#[test]
pub(crate) fn rejects_in_a_list_of_millions() {
    let outcome = Attack::by("rejects_in_a_list_of_millions")
        .limits(|limits| limits.deadline = Duration::from_secs(1))
        .run()
        .unstopped();
    assert_eq!(
        only_finding(&outcome.given).rows,
        (0..10).collect::<Vec<_>>()
    );
}

#[test]
pub(crate) fn rejects_all_of_memory() {
    let outcome = Attack::by("rejects_all_of_memory")
        .limits(|limits| limits.output_bytes = 4 * MEMORY)
        .run();
    // Its memory holds more than row numbers: one of them is that of no row.
    outcome.stopped(Stop::Contract("of 10"));
}

/// Handles of the guest's own runtime are few: its standard input is one however often it is asked
/// for.
#[test]
pub(crate) fn takes_every_handle() {
    Attack::by("takes_every_handle").run().unstopped();
}
