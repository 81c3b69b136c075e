//! How long after its deadline a guest goes on, over hundreds of stops. The figures are published in
//! SECURITY.md: `cargo test -p weir-sandbox --test hostile stops -- --nocapture` prints them.

use std::time::Duration;

use serde_json::json;
use weir_roster::Guest;
use weir_sandbox::{Call, Instance, LimitKind, Limits, Plugin, SandboxError, World};

use crate::field::{GRACE, Lateness, alone, batch, bulk, limits, reading, request, sandbox};

/// Stops of each guest.
const STOPS: usize = 100;
const DEADLINE: Duration = Duration::from_millis(10);

/// Guests that never come back, with the call in which they do not.
const LOOPS: [(&str, Call); 16] = [
    ("loops_in_start", Call::Instantiate),
    ("loops_in_describe", Call::Describe),
    ("loops_in_bind", Call::Bind),
    ("loops_in_process", Call::Process),
    ("loops_in_post_return", Call::Process),
    ("loops_in_a_decoder", Call::Decode),
    ("loops_in_finish", Call::Finish),
    ("loops_in_discover", Call::Discover),
    ("loops_in_open", Call::Open),
    ("loops_in_read", Call::Read),
    ("loops_in_a_fold", Call::Process),
    ("loops_in_a_snapshot", Call::Snapshot),
    ("loops_in_a_merge", Call::Merge),
    ("loops_by_tail_calls", Call::Process),
    ("loops_around_log", Call::Process),
    ("loops_around_short_sleeps", Call::Process),
];

/// Guests that do what cannot be interrupted, over all of their memory.
const BULKS: [(&str, Call); 3] = [
    ("fills_memory", Call::Process),
    ("copies_memory", Call::Process),
    ("logs_all_of_memory", Call::Process),
];

/// Guest time of the call that was stopped.
async fn stop(plugin: &Plugin, limits: &Limits, call: Call) -> Duration {
    let mut instance = None;
    let error = run(plugin, limits, call, &mut instance)
        .await
        .expect_err("it is stopped");
    let SandboxError::Limit {
        at,
        which: LimitKind::Deadline,
        asked,
        ..
    } = &error
    else {
        panic!("stopped by something else: {error}");
    };
    assert_eq!(at.call, call);
    // Where there is no instance to ask, the error says it in whole milliseconds.
    match instance {
        Some((instance, before)) => instance.usage().guest_time - before,
        None => Duration::from_millis(asked.expect("a deadline says how long it was")),
    }
}

async fn run(
    plugin: &Plugin,
    limits: &Limits,
    call: Call,
    kept: &mut Option<(Instance, Duration)>,
) -> Result<(), SandboxError> {
    if call == Call::Describe {
        return plugin.describe(limits).await.map(drop);
    }
    let instance = plugin.instantiate("", &limits.clone().into()).await?;
    let (instance, before) = kept.insert((instance, Duration::ZERO));
    let mut begin = |instance: &Instance| *before = instance.usage().guest_time;
    begin(instance);
    let request = request(json!({}), &batch());
    if plugin.world() == World::Source {
        instance.discover(&request).await?;
        begin(instance);
        instance.open(&request, &reading(None)).await?;
        begin(instance);
        return instance.read().await.map(drop);
    }
    instance.bind(&request).await?;
    begin(instance);
    if call == Call::Merge {
        return instance.merge(b"a state").await;
    }
    if call != Call::Finish {
        match plugin.world() {
            World::Decoder => instance.decode(b"x").await?,
            _ => instance.process(&batch()).await?,
        };
        begin(instance);
    }
    match plugin.world() {
        World::Fold => instance.snapshot().await.map(drop),
        _ => instance.finish().await.map(drop),
    }
}

/// Stops guests, prints by how much they were late, and demands that hardly any was later than
/// `allowed`.
fn measure(guests: &[(&str, Call)], limits: &Limits, allowed: Duration) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for (name, call) in guests {
            let guest = Guest::named(name).expect("a guest of that name");
            let plugin = sandbox().load(name, guest.component()).await.expect("loads");
            let lateness = Lateness::begin();
            let mut late = Vec::with_capacity(STOPS);
            for _ in 0..STOPS {
                late.push(stop(&plugin, limits, *call).await.saturating_sub(limits.deadline));
            }
            late.sort_unstable();
            let (p50, p99, most) = (late[STOPS / 2 - 1], late[STOPS * 99 / 100 - 1], late[STOPS - 1]);
            println!(
                "{name:<28} {call:<12} {STOPS} stops: p50 {p50:.2?}, p99 {p99:.2?}, at most {most:.2?} after a deadline of {:?}; a thread was woken {:.2?} late",
                limits.deadline,
                lateness.most()
            );
            let allowed = allowed + lateness.most();
            assert!(p99 <= allowed, "{name}: {p99:?} late; {allowed:?} are allowed");
        }
    });
}

#[test]
fn loops_stop_at_their_deadline() {
    let limits = Limits {
        deadline: DEADLINE,
        ..limits()
    };
    measure(&LOOPS, &limits, GRACE);
}

#[test]
fn bulk_operations_stop_when_they_are_done() {
    let limits = Limits {
        deadline: DEADLINE,
        memory: 32 << 20,
        ..limits()
    };
    let once = bulk(limits.memory);
    println!(
        "one fill of {} MiB of fresh memory: {once:.2?}",
        limits.memory >> 20
    );
    measure(&BULKS, &limits, GRACE + once);
}
