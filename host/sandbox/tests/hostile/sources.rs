//! What only a source can do: have streams that cannot be, say states that cannot be kept, and never come to an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use serde_json::json;
use weir_roster::Guest;
use weir_sandbox::{Call, Contract, GuestStream, LimitKind, Plugin, SandboxError, Speech, Terms};

use crate::field::{
    Attack, Lines, Outcome, Stop, alone, batch, honest, limits, reading, request, sandbox,
};

/// Sources that something stops, with the call and page in which it does; nothing of that page is there.
macro_rules! stopped_in {
    ($($name:ident => $call:ident $($page:literal)?, $stop:expr);* $(;)?) => {$(
        #[test]
        pub(crate) fn $name() {
            #[allow(unused_mut, unused_assignments, reason = "not every call has a page")]
            let mut page = None;
            $(page = Some($page);)?
            let outcome = Attack::by(stringify!($name)).run().stopped_at(Call::$call, page, $stop);
            assert!(outcome.pages.is_empty());
        }
    )*};
}

stopped_in! {
    traps_in_discover => Discover, Stop::Trap("unreachable");
    exits_in_read => Read 1, Stop::Trap("called exit with status 0");
    recurses_in_read => Read 1, Stop::Trap("stack overflow");
    grows_memory_in_read => Read 1, Stop::Limit(LimitKind::Memory);

    emits_in_discover => Discover, Stop::Contract("emitted during discover");
    emits_in_open => Open, Stop::Contract("emitted during open");
    rejects_in_open => Open, Stop::Contract("rejected a record outside read");

    states_65_kibibytes => Read 1, Stop::Contract("a state of 65537 bytes; at most 65536 are kept");
    states_most_of_memory => Read 1, Stop::Contract("at most 65536 are kept");
    states_what_is_no_text => Read 1, Stop::Trap("utf-8");

    discovers_5000_streams => Discover, Stop::BadSchema("5000 streams; at most 4096");
    discovers_9_megabytes => Discover, Stop::Limit(LimitKind::Hostcall);
    discovers_a_stream_twice => Discover, Stop::BadSchema("two streams are named 'people'");
    discovers_a_name_of_a_megabyte => Discover, Stop::BadSchema("1048576 bytes; at most 256");
    discovers_a_deceptive_name => Discover, Stop::BadSchema("control or invisible characters");
    discovers_5000_fields => Discover, Stop::BadSchema("5000 fields; at most 4096");
    discovers_65_levels => Discover, Stop::BadSchema("deeper than 64 levels");
    discovers_a_key_of_no_column => Discover, Stop::BadSchema("has no column 'number'");
    discovers_a_deceptive_cursor => Discover, Stop::BadSchema("control or invisible characters");
    discovers_100000_shards => Discover, Stop::BadSchema("100000 shards; at most 4096");
    discovers_a_shard_twice => Discover, Stop::BadSchema("names a shard twice");
    discovers_a_deceptive_shard => Discover, Stop::BadSchema("control or invisible characters");

    opens_5000_fields => Open, Stop::BadSchema("5000 fields; at most 4096");
    reads_another_schema => Read 1, Stop::BadBatch("1 nodes where the schema has 2");
    reads_text_for_numbers => Read 1, Stop::BadBatch("");
    reads_rows_without_end => Read 1, Stop::Limit(LimitKind::OutputBytes);
    reads_nothing_without_end => Read 1, Stop::Limit(LimitKind::OutputBytes);
    // Two mebibytes are looked through for each, and that is the guest's time.
    rejects_records_of_a_megabyte => Read 1, Stop::Limit(LimitKind::Deadline);
    rejects_empty_records => Read 1, Stop::Limit(LimitKind::OutputBytes);
}

/// What a guest lists is looked at once, however often it lists it: no deadline holds for that.
#[test]
pub(crate) fn discovers_a_key_of_100000() {
    let began = Instant::now();
    let stop = Stop::BadSchema("names '3999' twice");
    Attack::by("discovers_a_key_of_100000")
        .run()
        .stopped_at(Call::Discover, None, stop);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// A page is there whole or not at all, and the one before it stays.
#[test]
pub(crate) fn traps_after_a_page() {
    let outcome = Attack::by("traps_after_a_page").batches(3).run();
    assert_eq!(outcome.pages.len(), 1);
    let page = &outcome.pages[0];
    assert_eq!((page.state.as_str(), page.done), ("1", false));
    assert_eq!(page.given.emitted[0].batch.num_rows(), 1);
    outcome.stopped_at(Call::Read, Some(2), Stop::Trap("unreachable"));
}

async fn loaded(guest: &str) -> Plugin {
    let guest = Guest::named(guest).unwrap();
    sandbox().load(guest.name, guest.component()).await.unwrap()
}

fn wait<T>(of: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(of)
}

/// The sandbox gives page after page, as long as it is asked for one, and grows by nothing. Who asks has to have
/// enough at some time, which is the engine's business.
#[test]
pub(crate) fn reads_on_for_ever() {
    let outcome = Attack::by("reads_on_for_ever")
        .batches(20_000)
        .run()
        .unstopped();
    assert_eq!(outcome.pages.len(), 20_000);
    assert_eq!(outcome.pages[19_999].state, "20000");
}

#[test]
pub(crate) fn stands_still() {
    let outcome = Attack::by("stands_still").batches(1_000).run().unstopped();
    assert!(
        outcome
            .pages
            .iter()
            .all(|page| page.state == "here" && !page.done)
    );
}

/// The state that was kept is all that an instance knows of those before it.
#[test]
pub(crate) fn moves_on_and_fails() {
    let outcome = Attack::by("moves_on_and_fails").batches(2).run();
    assert_eq!(outcome.pages.len(), 1);
    assert!(matches!(
        outcome.error,
        Some(SandboxError::PluginError { .. })
    ));

    let _alone = alone();
    wait(async {
        let plugin = loaded("moves_on_and_fails").await;
        let (mut state, terms) = (None, Terms::from(limits()));
        for page in 1..=5 {
            let mut instance = plugin.instantiate("", &terms).await.unwrap();
            let request = request(json!({}), &batch());
            instance.open(&request, &reading(state)).await.unwrap();
            let given = instance.read().await.unwrap();
            assert_eq!(given.state, page.to_string());
            instance.read().await.unwrap_err();
            state = Some(given.state);
        }
    });
}

/// Whether a stream has the columns that were planned with is asked by whoever planned. What `open` gave is what rows
/// are held to, so that nothing of another schema passes as one of the first.
#[test]
pub(crate) fn opens_another_schema() {
    let outcome = Attack::by("opens_another_schema").run().unstopped();
    assert_eq!(outcome.streams[0].schema.field(0).name(), "id");
    let _alone = alone();
    wait(async {
        let plugin = loaded("opens_another_schema").await;
        let mut instance = plugin.instantiate("", &limits().into()).await.unwrap();
        let request = request(json!({}), &batch());
        let schema = instance.open(&request, &reading(None)).await.unwrap();
        assert_eq!(schema.field(0).name(), "other");
    });
}

/// Each instance answers as it did the first time, since nothing differs for it: no clock, no dice, no memory.
#[test]
pub(crate) fn discovers_by_turns() {
    let first = || Attack::by("discovers_by_turns").run().unstopped().streams;
    let name = |streams: Vec<weir_sandbox::Stream>| streams[0].schema.field(0).name().clone();
    assert_eq!(name(first()), "id");
    assert_eq!(name(first()), "id");
}

/// A rule that is not on the list of a source is none.
#[test]
pub(crate) fn rejects_by_an_unlisted_rule() {
    let outcome = Attack::by("rejects_by_an_unlisted_rule")
        .terms(|terms| terms.contract = listed())
        .run();
    let stop = Stop::Contract("raised rule 'made_up', which is not on its list");
    outcome.stopped_at(Call::Read, Some(1), stop);
    let open = Attack::by("rejects_by_an_unlisted_rule").run().unstopped();
    assert_eq!(open.pages[0].given.rejected_records[0].rule, "made_up");
}

fn listed() -> Contract {
    Contract {
        rules: Some(BTreeMap::from([(
            "odd".to_owned(),
            "Records are even.".to_owned(),
        )])),
        ..Contract::default()
    }
}

/// What is kept of a rejected record is short and cannot deceive; where words are kept, it is nothing.
#[test]
pub(crate) fn leaks_by_record() {
    let told = |outcome: &Outcome| {
        let error = outcome.error.as_ref().expect("it errs");
        format!("{error} {error:?} {:?}", outcome.usage)
    };
    let open = Attack::by("leaks_by_record").run();
    assert!(told(&open).contains("kanarienvogel"), "the control");

    let lines = Arc::<Lines>::default();
    let sink = Arc::clone(&lines);
    let kept = Attack::by("leaks_by_record")
        .terms(|terms| {
            terms.speech = Speech::Kept(sink);
            terms.contract = listed();
        })
        .run();
    let said = told(&kept);
    assert!(!said.contains("kanarienvogel"), "{said}");
    let lines = lines.all();
    let in_log = |stream| {
        lines
            .iter()
            .any(|(from, line)| *from == stream && line.contains("kanarienvogel"))
    };
    assert!(
        in_log(GuestStream::Message) && in_log(GuestStream::Error),
        "{lines:?}"
    );
}

/// The calls of a source, out of order.
#[test]
fn a_source_is_asked_in_order() {
    let _alone = alone();
    wait(async {
        let plugin = loaded("traps_after_a_page").await;
        let request = request(json!({}), &batch());
        let mut instance = plugin.instantiate("", &limits().into()).await.unwrap();
        let bad = |result: Result<(), SandboxError>| {
            let error = result.unwrap_err();
            assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
        };
        bad(instance.read().await.map(drop));
        bad(instance.bind(&request).await.map(drop));
        bad(instance.process(&batch()).await.map(drop));
        bad(instance.decode(b"x").await.map(drop));
        bad(instance.finish().await.map(drop));
        bad(instance.snapshot().await.map(drop));
        bad(instance.merge(&[]).await);
        instance.discover(&request).await.unwrap();
        instance.open(&request, &reading(None)).await.unwrap();
        bad(instance.open(&request, &reading(None)).await.map(drop));
        bad(instance.discover(&request).await.map(drop));
        // None of that has cost it anything.
        let page = instance.read().await.unwrap();
        let rows = &page.given.emitted[0].batch;
        assert_eq!(rows.column(1).as_string::<i32>().value(0), "n");
        honest().await;
    });
}
