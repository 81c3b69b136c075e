//! What only a fold can do: say a state that is too large or that nobody takes, and emit when it may not.

use std::time::Duration;

use serde_json::json;
use weir_roster::Guest;
use weir_sandbox::{Call, Isolation, LimitKind, PluginErrorKind, SandboxError, Terms};

use crate::field::{Attack, MEMORY, Stop, alone, batch, honest, limits, request, sandbox};

/// Folds that something stops, with the call and batch in which it does.
macro_rules! stopped_in {
    ($($name:ident => $call:ident $($batch:literal)?, $stop:expr);* $(;)?) => {$(
        #[test]
        pub(crate) fn $name() {
            #[allow(unused_mut, unused_assignments, reason = "not every call has a batch")]
            let mut batch = None;
            $(batch = Some($batch);)?
            let outcome = Attack::by(stringify!($name)).run().stopped_at(Call::$call, batch, $stop);
            assert!(outcome.given.iter().all(|given| given.emitted.is_empty()));
        }
    )*};
}

stopped_in! {
    traps_in_a_fold => Process 1, Stop::Trap("unreachable");
    traps_in_a_merge => Merge, Stop::Trap("unreachable");
    grows_memory_in_a_snapshot => Snapshot, Stop::Limit(LimitKind::Memory);
    snapshots_over_its_share => Snapshot, Stop::Contract("a state of 4194305 bytes; at most 4194304 cross at once");
    snapshots_most_of_memory => Snapshot, Stop::Contract("at most 4194304 cross at once");
    emits_in_a_fold => Process 1, Stop::Contract("emitted during process");
    emits_in_a_snapshot => Snapshot, Stop::Contract("emitted during snapshot");
    emits_in_a_merge => Merge, Stop::Contract("emitted during merge");
    folds_to_rows_without_end => Finish, Stop::Limit(LimitKind::OutputBytes);
    folds_to_another_schema => Finish, Stop::BadBatch("1 nodes where the schema has 3");
    folds_to_5000_fields => Bind, Stop::BadSchema("5000 fields; at most 4096");
}

/// What one instance says, another need not take: that is an error of the plugin, and no more.
#[test]
pub(crate) fn refuses_its_own_snapshot() {
    let outcome = Attack::by("refuses_its_own_snapshot").run();
    assert_eq!(outcome.snapshot, [1, 2, 3]);
    let error = outcome.error.expect("an error");
    let SandboxError::PluginError { at, kind, message } = &error else {
        panic!("{error}");
    };
    assert_eq!((at.call, *kind), (Call::Merge, PluginErrorKind::Fatal));
    assert_eq!(message, "this is no state of mine");
}

/// A state is the plugin's own, and nobody else's business: whatever becomes of it on the way, the plugin gets it
/// wrong in its own memory, and the host lives. Each byte is changed, and each end is cut off.
#[test]
pub(crate) fn trusts_its_snapshot() {
    let outcome = Attack::by("trusts_its_snapshot")
        .batches(3)
        .run()
        .unstopped();
    assert_eq!(outcome.snapshot, [1, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(outcome.usage.metrics["merged"], 3.0);

    let _alone = alone();
    let guest = Guest::named("trusts_its_snapshot").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = sandbox().load(guest.name, guest.component()).await.unwrap();
        let whole = outcome.snapshot;
        let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
        let flipped = (0..whole.len()).flat_map(|at| {
            [1, 0x80].map(|bit| {
                let mut state = whole.clone();
                state[at] ^= bit;
                state
            })
        });
        let longer = std::iter::once([whole.as_slice(), &[0; 9]].concat());
        let terms = Terms::from(limits());
        let (mut taken, mut refused) = (0, 0);
        for state in cut.chain(flipped).chain(longer) {
            let mut instance = plugin.instantiate("", &terms).await.unwrap();
            instance.bind(&request(json!({}), &batch())).await.unwrap();
            match instance.merge(&state).await {
                Ok(()) => taken += 1,
                Err(SandboxError::Trap { at, .. }) => {
                    assert_eq!(at.call, Call::Merge);
                    let again = instance.finish().await;
                    assert!(
                        matches!(again, Err(SandboxError::Poisoned { .. })),
                        "{state:?}"
                    );
                    refused += 1;
                }
                Err(error) => panic!("{state:?}: {error}"),
            }
        }
        assert!(refused >= 12, "{refused} refused, {taken} taken");
        honest().await;
    });
}

/// The host hands over no state that is larger than one may be, nor any to an instance that is not bound, or done.
#[test]
fn a_state_crosses_only_where_and_while_it_may() {
    let _alone = alone();
    let guest = Guest::named("trusts_its_snapshot").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = sandbox().load(guest.name, guest.component()).await.unwrap();
        let terms = Terms::from(limits());
        let bound = async || {
            let mut instance = plugin.instantiate("", &terms).await.unwrap();
            instance.bind(&request(json!({}), &batch())).await.unwrap();
            instance
        };
        let large = vec![0; usize::try_from(MEMORY / 4).unwrap() + 1];
        let error = bound().await.merge(&large).await.unwrap_err();
        assert!(matches!(error, SandboxError::Contract { .. }), "{error}");

        let mut unbound = plugin.instantiate("", &terms).await.unwrap();
        for error in [
            unbound.merge(&[]).await.unwrap_err(),
            unbound.snapshot().await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
        }
        let mut done = bound().await;
        let state = done.snapshot().await.unwrap();
        for error in [
            done.merge(&state).await.unwrap_err(),
            done.snapshot().await.map(drop).unwrap_err(),
            done.process(&batch()).await.map(drop).unwrap_err(),
            done.finish().await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
        }
        // With memory of its own for each batch it would fold nothing.
        let forgetful = Terms {
            isolation: Isolation::Batch,
            ..terms.clone()
        };
        let mut instance = plugin.instantiate("", &forgetful).await.unwrap();
        let error = instance
            .bind(&request(json!({}), &batch()))
            .await
            .unwrap_err();
        assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
    });
}

/// However long a result is, the process holds no more of it than it may (what `run` measures), and time is not
/// what ends it.
#[test]
fn a_result_ends_by_its_size() {
    let outcome = Attack::by("folds_to_rows_without_end")
        .limits(|limits| limits.deadline = Duration::from_secs(10))
        .run();
    outcome.stopped_at(Call::Finish, None, Stop::Limit(LimitKind::OutputBytes));
}
