//! Rows 4 to 6: guests that never come back, that do what cannot be interrupted, or that wait.

use weir_sandbox::{Call, LimitKind};

use crate::field::{Attack, Stop};

/// Guests that run into their deadline, with the call and batch in which they do.
macro_rules! overdue {
    ($($name:ident => $call:ident $($batch:literal)?),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            #[allow(unused_mut, unused_assignments, reason = "not every call has a batch")]
            let mut batch = None;
            $(batch = Some($batch);)?
            expect_overdue(stringify!($name), Call::$call, batch);
        }
    )*};
}

#[track_caller]
fn expect_overdue(guest: &'static str, call: Call, batch: Option<u64>) {
    let outcome = Attack::by(guest).run();
    outcome.stopped_at(call, batch, Stop::Limit(LimitKind::Deadline));
}

overdue! {
    loops_in_start => Instantiate,
    loops_in_describe => Describe,
    loops_in_bind => Bind,
    loops_in_realloc => Bind,
    loops_in_process => Process 1,
    loops_in_post_return => Process 1,
    loops_in_a_check => Process 1,
    loops_in_a_decoder => Decode 1,
    loops_in_finish => Finish,
    loops_in_discover => Discover,
    loops_in_open => Open,
    loops_in_read => Read 1,
    loops_in_a_fold => Process 1,
    loops_in_a_snapshot => Snapshot,
    loops_in_a_merge => Merge,
    loops_by_tail_calls => Process 1,
    loops_around_log => Process 1,
    loops_around_metric => Process 1,
    loops_around_short_sleeps => Process 1,
    fills_memory => Process 1,
    copies_memory => Process 1,
    fills_a_table => Process 1,
    logs_all_of_memory => Process 1,
}

/// Waits are over at once: neither is anything waited for nor is anybody killed for it.
#[test]
pub(crate) fn sleeps_a_year() {
    let began = std::time::Instant::now();
    let outcome = Attack::by("sleeps_a_year").run().unstopped();
    assert_eq!(outcome.given[0].emitted[0].batch, crate::field::batch());
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}

/// Every wait is over at once, but a handle is kept for each.
#[test]
pub(crate) fn waits_for_the_end_of_time() {
    Attack::by("waits_for_the_end_of_time")
        .run()
        .stopped(Stop::Trap(""));
}

/// There is nobody to type, and the guest is told so.
#[test]
pub(crate) fn reads_stdin() {
    let outcome = Attack::by("reads_stdin").run().unstopped();
    assert_eq!(outcome.given[0].emitted.len(), 1);
}

/// The host may be called from a start function, and what it says is bounded there too.
#[test]
pub(crate) fn calls_the_host_from_start() {
    Attack::by("calls_the_host_from_start").run().unstopped();
}
