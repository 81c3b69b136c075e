//! What a stage gives a plugin and holds it to: rows, rules, words, secrets, isolation, memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_sandbox::{
    Contract, GuestLine, GuestSink, GuestStream, Isolation, MemoryBudget, Powers, RowContract,
    Secret, Speech,
};

use super::*;

/// What the guests say that must not be told.
const CANARY: &str = "secret-canary";

async fn bound_by(config: serde_json::Value, terms: &Terms) -> Instance {
    let plugin = transform().await;
    let mut instance = plugin.instantiate("s", terms).await.unwrap();
    let request = request(config, &batch(1));
    instance.bind(&request).await.expect("binds");
    instance
}

async fn run_by(config: serde_json::Value, terms: &Terms) -> Result<Processed, SandboxError> {
    bound_by(config, terms).await.process(&batch(10)).await
}

fn rows(rows: RowContract) -> Terms {
    Terms {
        contract: Contract { rows, rules: None },
        ..Terms::default()
    }
}

fn rules(names: &[&str]) -> Terms {
    let rules = names
        .iter()
        .map(|name| ((*name).to_owned(), format!("what {name} demands")))
        .collect();
    Terms {
        contract: Contract {
            rows: RowContract::Any,
            rules: Some(rules),
        },
        ..Terms::default()
    }
}

fn breaks_contract(given: Result<Processed, SandboxError>, what: &str) {
    match given {
        Err(SandboxError::Contract { why, .. }) => assert!(why.contains(what), "{why}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn rows_come_out_as_the_stage_says() {
    let origins = |mode: &str| json!({ "mode": mode });
    for contract in [RowContract::AtMostOne, RowContract::OneToOne] {
        let terms = rows(contract);
        for mode in ["identity", "reject"] {
            run_by(origins(mode), &terms).await.expect(mode);
        }
        breaks_contract(
            run_by(origins("origin"), &terms).await,
            "emitted row 8 twice or out of order",
        );
        breaks_contract(
            run_by(json!({ "mode": "constant", "rows": 2 }), &terms).await,
            "emitted row 0 twice or out of order",
        );
        // Nothing may be emitted twice by emitting in parts.
        breaks_contract(
            run_by(json!({ "mode": "constant_many", "times": 2 }), &terms).await,
            "emitted row 0 twice or out of order",
        );
    }
    let one = json!({ "mode": "constant", "rows": 1 });
    run_by(one.clone(), &rows(RowContract::AtMostOne))
        .await
        .expect("nine rows less");
    breaks_contract(
        run_by(one, &rows(RowContract::OneToOne)).await,
        "neither emitted nor rejected 9 of 10 rows",
    );
    run_by(origins("origin"), &rows(RowContract::Any))
        .await
        .expect("any order");
}

#[tokio::test]
async fn only_rules_on_the_list_are_raised() {
    let config = json!({ "mode": "reject" });
    let given = run_by(config.clone(), &rules(&["even", "odd"]))
        .await
        .unwrap();
    assert_eq!(given.findings[0].rule, "odd");
    assert_eq!(given.findings[0].message, "it is odd\\n");
    breaks_contract(
        run_by(config, &rules(&["even"])).await,
        "raised rule 'odd', which is not on its list",
    );
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(GuestStream, String)>>);

impl GuestSink for Kept {
    fn line(&self, line: GuestLine<'_>) {
        assert_eq!((line.plugin, line.stage), ("t", "s"));
        self.0
            .lock()
            .unwrap()
            .push((line.stream, line.text.to_owned()));
    }
}

#[tokio::test]
async fn kept_words_are_in_the_sink_and_nowhere_else() {
    let cases: &[(&str, Option<GuestStream>, &str)] = &[
        ("panic", Some(GuestStream::Stderr), "a panic"),
        ("error", Some(GuestStream::Error), "fatal error: why"),
        ("exit", Some(GuestStream::Error), "status 1"),
        ("bad_utf8", Some(GuestStream::Error), "not UTF-8"),
        ("bad_rows", Some(GuestStream::Error), "asked for 4294967295"),
        ("log", Some(GuestStream::Log), "line 0"),
        ("print", Some(GuestStream::Stdout), "line 0"),
        ("reject", Some(GuestStream::Message), "odd: it is odd"),
    ];
    for (mode, stream, said) in cases {
        let sink = Arc::new(Kept::default());
        let terms = Terms {
            speech: Speech::Kept(sink.clone()),
            ..rules(&["odd"])
        };
        match run_by(json!({ "mode": mode }), &terms).await {
            Ok(given) => {
                for finding in given.findings {
                    assert_eq!(finding.message, "what odd demands");
                }
            }
            Err(error) => {
                let told = format!("{error} {error:?} {:?}", error.hint());
                for secret in [CANARY, "u{7}", "status 1", "UTF-8", "4294967295"] {
                    assert!(!told.contains(secret), "{mode}: {told}");
                }
            }
        }
        let lines = sink.0.lock().unwrap();
        assert!(
            lines
                .iter()
                .any(|(from, text)| Some(*from) == *stream && text.contains(said)),
            "{mode}: {lines:?}"
        );
    }
}

#[tokio::test]
async fn counters_are_words_too() {
    let sink = Arc::new(Kept::default());
    let terms = Terms {
        speech: Speech::Kept(sink.clone()),
        ..Terms::default()
    };
    let mut instance = bound_by(json!({ "mode": "metrics" }), &terms).await;
    instance.process(&batch(10)).await.unwrap();
    instance.finish().await.unwrap();
    assert_eq!(instance.usage().metrics, BTreeMap::new());
    let lines = sink.0.lock().unwrap();
    assert!(
        lines.contains(&(GuestStream::Metric, "seen = 11".to_owned())),
        "{lines:?}"
    );
}

#[tokio::test]
async fn secrets_are_for_those_who_were_granted_them() {
    let plugin = sandbox().load("t", guest("secret")).await.unwrap();
    let refused = plugin
        .instantiate("s", &Terms::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, SandboxError::ForbiddenImport { import, .. } if import == "weir:plugin/secrets@0.1.0"),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("secrets = {"));
    // What it is can be asked without.
    assert_eq!(
        plugin.describe(&Limits::default()).await.unwrap().name,
        "secret"
    );

    let terms = |value: &str| Terms {
        powers: Powers {
            secrets: BTreeMap::from([("pii".to_owned(), Secret::new(value))]),
            ..Powers::default()
        },
        ..Terms::default()
    };
    assert!(!format!("{:?}", terms("hunter2")).contains("hunter2"));
    for (value, works) in [("hunter2", true), ("hunter3", false)] {
        let mut instance = plugin.instantiate("s", &terms(value)).await.unwrap();
        let config = json!({ "secret": "hunter2" });
        instance.bind(&request(config, &batch(1))).await.unwrap();
        assert_eq!(instance.process(&batch(1)).await.is_ok(), works, "{value}");
    }
}

#[tokio::test]
async fn a_plugin_without_need_imports_no_secrets() {
    let plugin = transform().await;
    assert!(
        plugin
            .imports()
            .iter()
            .all(|import| !import.contains("secrets")),
        "{:?}",
        plugin.imports()
    );
}

/// The guest numbers the batches it has seen, and gives back that number.
#[tokio::test]
async fn with_isolation_by_batch_each_is_the_first() {
    for (isolation, expected) in [
        (Isolation::Partition, [1, 2, 3]),
        (Isolation::Batch, [1, 1, 1]),
    ] {
        let terms = Terms {
            isolation,
            ..Terms::default()
        };
        let mut instance = bound_by(json!({ "mode": "constant" }), &terms).await;
        for number in expected {
            let given = instance.process(&batch(1)).await.unwrap();
            let column = given.emitted[0].batch.column(0).as_primitive::<Int64Type>();
            assert_eq!(column.value(0), number, "{isolation}");
        }
        instance.finish().await.unwrap();
        let again = instance.process(&batch(1)).await.unwrap_err();
        assert!(matches!(again, SandboxError::BadCall { .. }), "{again}");
    }
}

#[tokio::test]
async fn isolation_by_batch_keeps_budgets_and_sums() {
    let terms = Terms {
        isolation: Isolation::Batch,
        limits: Limits {
            log_bytes: 2_000,
            ..Limits::default()
        },
        ..Terms::default()
    };
    let mut instance = bound_by(json!({ "mode": "metrics" }), &terms).await;
    for _ in 0..3 {
        instance.process(&batch(10)).await.unwrap();
    }
    assert_eq!(instance.usage().metrics["seen"], 33.0);

    // A new store does not refill the log.
    let mut instance = bound_by(json!({ "mode": "log" }), &terms).await;
    instance.process(&batch(1)).await.unwrap();
    let first = instance.usage().log_lines_dropped;
    instance.process(&batch(1)).await.unwrap();
    assert_eq!(instance.usage().log_lines_dropped, first + 100_000);

    // A failure ends it as ever.
    let mut instance = bound_by(json!({ "mode": "trap" }), &terms).await;
    instance.process(&batch(1)).await.unwrap_err();
    let again = instance.process(&batch(1)).await.unwrap_err();
    assert!(matches!(again, SandboxError::Poisoned { .. }), "{again}");
}

#[derive(Debug)]
struct Left(AtomicU64);

impl MemoryBudget for Left {
    fn try_take(&self, bytes: u64) -> bool {
        let taken = |left: u64| left.checked_sub(bytes);
        self.0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn outputs_come_out_of_the_runs_memory() {
    const RUN: u64 = 8 << 20;
    let left = Arc::new(Left(AtomicU64::new(RUN)));
    let terms = Terms {
        budget: Some(left.clone()),
        ..Terms::default()
    };
    let mut instance = bound_by(json!({}), &terms).await;
    let given = instance.process(&batch(8_000)).await.unwrap();
    let held = RUN - left.0.load(Ordering::Relaxed);
    assert!((100_000..RUN).contains(&held), "{held}");
    // It is free when the output is, not when the next call begins or the instance is gone.
    let more = instance.process(&batch(8_000)).await.unwrap();
    assert_eq!(RUN - left.0.load(Ordering::Relaxed), 2 * held);
    drop(instance);
    assert_eq!(RUN - left.0.load(Ordering::Relaxed), 2 * held);
    drop((given, more));
    assert_eq!(left.0.load(Ordering::Relaxed), RUN);
    let by_batch = Terms {
        isolation: Isolation::Batch,
        ..terms.clone()
    };
    let mut instance = bound_by(json!({}), &by_batch).await;
    let given = instance.process(&batch(8_000)).await.unwrap();
    assert_eq!(RUN - left.0.load(Ordering::Relaxed), held);
    drop(given);
    for _ in 0..100 {
        instance.process(&batch(8_000)).await.unwrap();
    }
    drop(instance);
    assert_eq!(left.0.load(Ordering::Relaxed), RUN);

    const LITTLE: u64 = 64 << 10;
    let left = Arc::new(Left(AtomicU64::new(LITTLE)));
    let terms = Terms {
        budget: Some(left.clone()),
        ..Terms::default()
    };
    let error = run_by(json!({ "mode": "amplify" }), &terms)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::RunMemory,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("WEIR_MEMORY"));
    assert_eq!(
        left.0.load(Ordering::Relaxed),
        LITTLE,
        "given back after a failure"
    );
}

#[tokio::test]
async fn a_limit_says_what_was_asked_and_what_is_allowed() {
    let limits = Limits {
        rows_out_per_row: 2,
        rows_out_floor: 0,
        ..Limits::default()
    };
    let error = run_by(json!({ "mode": "constant", "rows": 21 }), &limits.into())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("over the limit of 20 rows of output in one call (asked for 21)"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("rows_out"));
}

/// With the clock and randomness granted, they are real.
#[tokio::test]
async fn powers_are_real_where_granted() {
    let asked = async |powers: Powers| {
        let terms = Terms {
            powers,
            ..Terms::default()
        };
        let plugin = transform().await;
        let mut instance = plugin.instantiate("s", &terms).await.unwrap();
        let request = request(json!({ "mode": "clock" }), &batch(1));
        let error = instance.bind(&request).await.unwrap_err().to_string();
        let said: Vec<String> = error.split(' ').map(str::to_owned).rev().collect();
        // From the end: socket, file, environment, random number, wall clock.
        assert_eq!(said[..3], ["false", "false", "0"]);
        (said[4].clone(), said[3].clone())
    };
    let nothing = asked(Powers::default()).await;
    assert_eq!(nothing.0, "Ok(946684800)");
    assert_eq!(nothing, asked(Powers::default()).await);
    let both = || Powers {
        clock: true,
        random: true,
        ..Powers::default()
    };
    assert!(!both().deterministic());
    let (first, second) = (asked(both()).await, asked(both()).await);
    // Seconds since 1970 have ten digits since 2001.
    assert_eq!(first.0.len(), nothing.0.len() + 1, "{first:?}");
    assert_ne!(first.1, second.1);
}
