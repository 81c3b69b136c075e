//! Rows 7 and 8: memory, tables, instances and stacks without end.

use weir_sandbox::{Call, LimitKind, SandboxError};

use crate::field::{Attack, MEMORY, Stop, stopped};

stopped! {
    grows_memory => Stop::Limit(LimitKind::Memory),
    grows_memory_by_crumbs => Stop::Limit(LimitKind::Memory),
    grows_memory_at_once => Stop::Limit(LimitKind::Memory),
    grows_two_memories => Stop::Limit(LimitKind::Memory),
    grows_a_table => Stop::Limit(LimitKind::Tables),
    recurses => Stop::Trap("stack overflow"),
    recurses_with_frames => Stop::Trap(""),
    recurses_around_host_calls => Stop::Trap("stack overflow"),
    recurses_around_emissions => Stop::Trap("stack overflow"),
}

/// Guests that take too much before there is a batch.
macro_rules! early {
    ($($name:ident => $call:ident $limit:ident),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let stop = Stop::Limit(LimitKind::$limit);
            Attack::by(stringify!($name)).run().stopped_at(Call::$call, None, stop);
        }
    )*};
}

early! {
    grows_while_binding => Bind Memory,
    grows_while_describing => Describe Memory,
    starts_over_its_grant => Instantiate Memory,
    starts_with_two_memories => Instantiate Memory,
    starts_with_two_tables => Instantiate Tables,
}

/// Guests of more parts than the pool has for any one of them.
macro_rules! does_not_fit {
    ($($name:ident => $part:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let outcome = Attack::by(stringify!($name)).run();
            let error = outcome.error.expect("it must be refused");
            let SandboxError::Compile { source, .. } = &error else {
                panic!("refused otherwise: {error}");
            };
            let mut cause: &dyn std::error::Error = source.as_ref();
            let mut told = cause.to_string();
            while let Some(deeper) = cause.source() {
                told = format!("{told}: {deeper}");
                cause = deeper;
            }
            assert!(told.contains($part), "{told}");
        }
    )*};
}

does_not_fit! {
    starts_with_many_memories => "memories",
    starts_with_many_tables => "tables",
    makes_many_instances => "core module instances",
    has_a_table_of_4_billion => "table",
}

/// A denied growth that the guest survives is no error.
#[test]
pub(crate) fn grows_memory_and_takes_no_for_an_answer() {
    let outcome = Attack::by("grows_memory_and_takes_no_for_an_answer")
        .run()
        .unstopped();
    assert_eq!(outcome.given[0].emitted.len(), 1);
}

/// The grant holds for the instance's life, not for a call.
#[test]
pub(crate) fn grows_over_batches() {
    let outcome = Attack::by("grows_over_batches").batches(9).run();
    let given = outcome.given.len() as u64;
    assert!((1..9).contains(&given), "{given} batches fit");
    let peak = outcome.usage.peak_memory;
    assert!(peak > MEMORY / 2, "{peak}");
    outcome.stopped_at(
        Call::Process,
        Some(given + 1),
        Stop::Limit(LimitKind::Memory),
    );
}
