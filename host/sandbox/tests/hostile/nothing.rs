//! Rows 12, 13, 16 and 18: guests that look for what they were not given, and get nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use serde_json::json;
use weir_sandbox::{Isolation, PluginErrorKind, Powers, SandboxError, Secret};

use crate::field::{Attack, Outcome, batch};

/// What a guest says it got: the text of the error that it returns from `bind`.
#[track_caller]
fn says(outcome: &Outcome) -> &str {
    match outcome.error.as_ref().expect("it says what it got") {
        SandboxError::PluginError {
            kind: PluginErrorKind::Data,
            message,
            ..
        } => message,
        other => panic!("{other}"),
    }
}

/// Guests that get nothing.
macro_rules! nothing {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            // Time is not what is at stake: a name is looked up ten times over.
            assert_eq!(says(&Attack::by(stringify!($name)).run()), "");
        }
    )*};
}

nothing! {
    reads_files,
    opens_sockets,
    reads_the_environment,
}

/// It sleeps a day in no time at all, at the turn of the century, and throws the same dice each
/// time; with the powers for it, it does not.
#[test]
pub(crate) fn tells_the_time() {
    let told = |powers: Powers| {
        let outcome = Attack::by("tells_the_time")
            .terms(|terms| terms.powers = powers)
            .run();
        let said = says(&outcome).to_owned();
        let words: Vec<String> = said.split(' ').map(str::to_owned).collect();
        <[String; 3]>::try_from(words).expect("three numbers")
    };
    let [slept, wall, random] = told(Powers::default());
    assert_eq!((slept.as_str(), wall.as_str()), ("86400", "946684800"));
    assert_eq!(
        told(Powers::default()),
        [slept.clone(), wall.clone(), random.clone()]
    );
    let [_, now, same] = told(Powers {
        clock: true,
        ..Powers::default()
    });
    assert!(now.parse::<u64>().unwrap() > 1_700_000_000, "{now}");
    assert_eq!(same, random, "a clock is no dice");
    let dice = || {
        let [_, standing, random] = told(Powers {
            random: true,
            ..Powers::default()
        });
        assert_eq!(standing, wall, "dice are no clock");
        random
    };
    let (one, other) = (dice(), dice());
    assert!(one != random && one != other, "{one} {other}");
}

/// However long it takes, the clock moves by the steps in which it is read.
#[test]
pub(crate) fn times_the_host() {
    for powers in [
        Powers::default(),
        Powers {
            clock: true,
            ..Powers::default()
        },
    ] {
        let outcome = Attack::by("times_the_host")
            .terms(|terms| terms.powers = powers)
            .run();
        assert_eq!(says(&outcome), "1000 ns");
    }
}

#[test]
pub(crate) fn asks_for_secrets() {
    let refused = Attack::by("asks_for_secrets")
        .run()
        .error
        .expect("it is granted none");
    assert!(
        matches!(&refused, SandboxError::ForbiddenImport { import, .. } if import == "weir:plugin/secrets@0.1.0"),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("secrets"));
    let granted = |name: &str| {
        let outcome = Attack::by("asks_for_secrets")
            .terms(|terms| {
                terms.powers.secrets = [(name.to_owned(), Secret::new("open sesame"))].into();
            })
            .run();
        says(&outcome).to_owned()
    };
    assert_eq!(granted("unguessed"), "", "a name that it does not know");
    assert_eq!(
        granted("token"),
        "open sesame",
        "what it is granted it gets"
    );
}

/// Whatever bits a calculation leaves in what is not a number, one pattern comes out.
#[test]
pub(crate) fn writes_every_nan() {
    let bits = || {
        let outcome = Attack::by("writes_every_nan").run().unstopped();
        let column = outcome.given[0].emitted[0].batch.column(0).clone();
        column
            .as_primitive::<Float64Type>()
            .values()
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    let first = bits();
    assert_eq!(first.len(), 6);
    assert!(
        first
            .iter()
            .all(|bits| bits & !(1 << 63) == 0x7ff8_0000_0000_0000),
        "{first:x?}"
    );
    assert_eq!(bits(), first);
}

#[test]
pub(crate) fn orders_by_hash() {
    let order = || {
        let outcome = Attack::by("orders_by_hash").run().unstopped();
        outcome.given[0].emitted[0].batch.clone()
    };
    assert_eq!(order(), order());
}

#[test]
pub(crate) fn describes_with_control_characters() {
    let guest = weir_roster::Guest::named("describes_with_control_characters").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let info = runtime.block_on(async {
        let plugin = crate::field::sandbox()
            .load(guest.name, guest.component())
            .await
            .unwrap();
        plugin.describe(&crate::field::limits()).await.unwrap()
    });
    for (text, most) in [
        (&info.name, 256),
        (&info.version, 64),
        (&info.description, 1024),
    ] {
        assert!(text.len() <= most + '…'.len_utf8(), "{text}");
        assert!(
            text.chars()
                .all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{200b}'),
            "{text}"
        );
    }
    Attack::by(guest.name).run().unstopped();
}

// ---- row 12 ------------------------------------------------------------------------------------

/// How often a guest that keeps a canary saw one that an earlier batch left.
#[track_caller]
fn seen(isolation: Isolation, batches: u64) -> f64 {
    let outcome = Attack::by("keeps_a_canary")
        .batches(batches)
        .terms(|terms| terms.isolation = isolation)
        .run()
        .unstopped();
    assert_eq!(outcome.given.len() as u64, batches);
    outcome.usage.metrics["seen"]
}

/// One instance keeps what it likes. Another, and with it a fresh one for each batch, finds nothing
/// of it: neither in a static nor in the page that it grows into, though the pool gives it the very
/// memory that was used before.
#[test]
pub(crate) fn keeps_a_canary() {
    assert_eq!(
        seen(Isolation::Partition, 5),
        4.0,
        "the control: it would be seen"
    );
    assert_eq!(seen(Isolation::Batch, 5), 0.0);
    assert_eq!(seen(Isolation::Partition, 1), 0.0, "another instance's");
}

/// The same in a global and in a table. A million batches are given to it in `canary`.
#[test]
pub(crate) fn keeps_a_canary_everywhere() {
    for (isolation, expected) in [(Isolation::Partition, 4.0), (Isolation::Batch, 0.0)] {
        let outcome = Attack::by("keeps_a_canary_everywhere")
            .batches(5)
            .terms(|terms| terms.isolation = isolation)
            .run()
            .unstopped();
        assert_eq!(outcome.usage.metrics["seen"], expected, "{isolation}");
    }
}

// ---- row 18 ------------------------------------------------------------------------------------

const NEEDLE: &str = "Kanarienvogel-4711";

/// Columns that are granted, and one that may not be.
fn with_needle() -> RecordBatch {
    let granted: ArrayRef = Arc::new(StringArray::from(vec!["nothing to see"; 100]));
    let withheld: ArrayRef = Arc::new(StringArray::from(vec![NEEDLE; 100]));
    RecordBatch::try_from_iter([("granted", granted), ("withheld", withheld)]).unwrap()
}

/// How often the guest finds the needle in the whole of its memory.
#[track_caller]
fn found(input: RecordBatch) -> f64 {
    let masked: String = NEEDLE
        .bytes()
        .map(|byte| format!("{:02x}", byte ^ 0x5a))
        .collect();
    let outcome = Attack::by("scans_its_memory")
        .config(json!({ "needle": masked }))
        .input(input)
        .limits(|limits| limits.deadline = std::time::Duration::from_secs(10))
        .batches(3)
        .run()
        .unstopped();
    outcome.usage.metrics["found"]
}

#[test]
pub(crate) fn scans_its_memory() {
    let all = with_needle();
    assert!(
        found(all.clone()) >= 300.0,
        "the control: a column that is granted is found"
    );
    assert_eq!(found(all.project(&[0]).unwrap()), 0.0);
    assert_eq!(found(batch()), 0.0);
    // A row that was cut off stays behind too, though it lies in the same buffer.
    let secret = StringArray::from(vec!["in view", NEEDLE, "in view"]);
    let rows = RecordBatch::try_from_iter([("text", Arc::new(secret) as ArrayRef)]).unwrap();
    assert!(found(rows.slice(1, 1)) >= 1.0);
    for part in [rows.slice(0, 1), rows.slice(2, 1)] {
        assert_eq!(found(part), 0.0);
    }
    // So does a value that no row refers to any more.
    let dictionary: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> =
        vec!["in view", NEEDLE].into_iter().collect();
    let rows = RecordBatch::try_from_iter([("text", Arc::new(dictionary) as ArrayRef)]).unwrap();
    assert_eq!(found(rows.slice(0, 1)), 0.0);
}
