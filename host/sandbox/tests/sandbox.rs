//! The sandbox against honest, broken and hostile guests (`tests/guests`): each attack ends in the
//! error that names it, and an honest instance made afterwards works.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use serde_json::json;
use weir_sandbox::{
    BindRequest, Call, Instance, LimitKind, Limits, Plugin, PluginErrorKind, Processed, Sandbox,
    SandboxError, SandboxOptions, Terms, World, split,
};

mod compile;
mod load;
mod side_inputs;
mod terms;

/// Builds the guests once and returns the bytes of one of them.
fn guest(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let workspace = weir_roster::root();
        let target = std::env::var_os("WEIR_GUESTS_TARGET")
            .map_or_else(|| workspace.join("target/guests"), PathBuf::from);
        let status = std::process::Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--target",
                "wasm32-wasip2",
                "--manifest-path",
            ])
            .arg(workspace.join("tests/guests/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            // What the host's build sets must not reach the guests'.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(
            status.success(),
            "the guests do not build; is the target installed? rustup target add wasm32-wasip2"
        );
        target.join("wasm32-wasip2/release")
    });
    std::fs::read(directory.join(format!("guest_{name}.wasm"))).expect("a built guest")
}

/// One sandbox for all tests: what one guest does must not reach another.
fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX
        .get_or_init(|| Sandbox::new(SandboxOptions::default()).expect("a sandbox"))
        .clone()
}

async fn transform() -> Plugin {
    static PLUGIN: tokio::sync::OnceCell<Plugin> = tokio::sync::OnceCell::const_new();
    PLUGIN
        .get_or_init(async || {
            sandbox()
                .load("t", guest("transform"))
                .await
                .expect("loads")
        })
        .await
        .clone()
}

fn batch(rows: i64) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("n", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..rows).collect::<Int64Array>()),
        Arc::new(
            (0..rows)
                .map(|i| (i % 3 != 0).then_some(i))
                .collect::<Int64Array>(),
        ),
        Arc::new(
            (0..rows)
                .map(|i| (i % 5 != 4).then(|| format!("name {i}")))
                .collect::<StringArray>(),
        ),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn request(config: serde_json::Value, batch: &RecordBatch) -> BindRequest {
    BindRequest {
        config,
        pipeline: "p".into(),
        step: "s".into(),
        parameters: vec![("z".into(), "1".into()), ("a".into(), "2".into())],
        input: batch.schema(),
        side_inputs: Vec::new(),
    }
}

async fn bound(config: serde_json::Value, limits: &Limits) -> Instance {
    let mut instance = transform()
        .await
        .instantiate("step 's' stage 1", &limits.clone().into())
        .await
        .expect("instantiates");
    instance
        .bind(&request(config, &batch(1)))
        .await
        .expect("binds");
    instance
}

/// Runs one batch of ten rows through the guest in some mode.
async fn run(config: serde_json::Value, limits: &Limits) -> Result<Processed, SandboxError> {
    bound(config, limits).await.process(&batch(10)).await
}

/// An attack's error; afterwards its instance is gone and an honest one works.
async fn attack_with(config: serde_json::Value, limits: &Limits) -> SandboxError {
    let mut instance = bound(config.clone(), limits).await;
    let error = instance.process(&batch(10)).await.expect_err("contained");
    let again = instance.process(&batch(10)).await.expect_err("poisoned");
    assert!(
        matches!(again, SandboxError::Poisoned { .. }),
        "{config}: {again}"
    );
    let site = error.call_site().expect("an error of a call names it");
    assert_eq!(
        (site.plugin.as_str(), site.stage.as_str(), site.digest.len()),
        ("t", "step 's' stage 1", 12)
    );
    assert_eq!((site.call, site.batch), (Call::Process, Some(1)), "{error}");
    honest().await;
    error
}

async fn attack(mode: &str) -> SandboxError {
    attack_with(json!({ "mode": mode }), &Limits::default()).await
}

async fn honest() {
    let input = batch(100);
    let given = bound(json!({}), &Limits::default())
        .await
        .process(&input)
        .await
        .expect("an honest guest works");
    assert_eq!(given.emitted[0].batch, input);
}

fn quick() -> Limits {
    Limits {
        deadline: Duration::from_millis(50),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_transform_gives_back_what_it_is_given() {
    let plugin = transform().await;
    assert_eq!(
        (plugin.world(), plugin.track(), plugin.name()),
        (World::Transform, "0.1.0", "t")
    );
    assert_eq!(plugin.digest().len(), 64);
    assert!(
        plugin
            .imports()
            .iter()
            .any(|import| import == "weir:plugin/emitting@0.1.0"),
        "{:?}",
        plugin.imports()
    );
    let info = plugin.describe(&Limits::default()).await.unwrap();
    assert_eq!(
        (
            info.name.as_str(),
            info.version.as_str(),
            info.columns.len()
        ),
        ("identity", "1.2.3", 1)
    );
    assert_eq!(
        info.description,
        "Gives back what it is given.\\n\\u{1b}[31m"
    );

    let mut instance = plugin.instantiate("", &Terms::default()).await.unwrap();
    let input = batch(20_000);
    let outputs = instance.bind(&request(json!({}), &input)).await.unwrap();
    assert_eq!(
        (outputs.len(), outputs[0].name.as_str(), &outputs[0].schema),
        (1, "out", &input.schema())
    );
    let parts = split(&input, Limits::default().memory);
    assert_eq!(parts.len(), 3);
    for part in &parts {
        let given = instance.process(part).await.unwrap();
        assert_eq!(given.emitted.len(), 1);
        assert_eq!(
            (&given.emitted[0].batch, &given.emitted[0].origin),
            (part, &None)
        );
    }
    assert!(instance.finish().await.unwrap().emitted.is_empty());
    let usage = instance.usage();
    assert_eq!(usage.calls, 5);
    assert!(
        usage.peak_memory > 65_536 && usage.bytes_in > 500_000 && usage.bytes_out > 500_000,
        "{usage:?}"
    );
    assert!(usage.guest_time > Duration::ZERO);
}

#[tokio::test]
async fn an_empty_batch_crosses() {
    let given = bound(json!({}), &Limits::default())
        .await
        .process(&batch(0))
        .await
        .unwrap();
    assert_eq!(given.emitted[0].batch, batch(0));
}

#[tokio::test]
async fn the_run_reaches_the_guest_with_its_parameters_in_order() {
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    let error = instance
        .bind(&request(json!({ "mode": "run" }), &batch(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::PluginError { message, .. } if message == "p/s/a=2,z=1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_check_names_the_rows_that_fail() {
    let plugin = sandbox().load("c", guest("check")).await.unwrap();
    assert_eq!(plugin.world(), World::Check);
    let mut instance = plugin.instantiate("", &Terms::default()).await.unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let input =
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1, -1, 2, -2]))]).unwrap();
    assert!(
        instance
            .bind(&request(json!({}), &input))
            .await
            .unwrap()
            .is_empty()
    );
    let given = instance.process(&input).await.unwrap();
    assert_eq!(given.findings.len(), 1);
    assert_eq!(
        (given.findings[0].rule.as_str(), &given.findings[0].rows),
        ("negative", &vec![1, 3])
    );
    assert_eq!(given.rows_found(), [1, 3]);
    instance.finish().await.unwrap();
}

#[tokio::test]
async fn a_decoder_turns_bytes_into_rows_file_after_file() {
    let plugin = sandbox().load("d", guest("decoder")).await.unwrap();
    let mut instance = plugin.instantiate("", &Terms::default()).await.unwrap();
    for _ in 0..2 {
        let outputs = instance.bind(&request(json!({}), &batch(1))).await.unwrap();
        assert_eq!(outputs[0].schema.field(0).name(), "line");
        let first = instance.decode(b"one\ntwo\n\xff\xff\nthr").await.unwrap();
        assert_eq!(
            first.emitted[0]
                .batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>(),
            ["one", "two"]
        );
        let rejected = &first.rejected_bytes[0];
        assert_eq!(
            (rejected.offset, rejected.length, rejected.rule.as_str()),
            (8, 2, "not_utf8")
        );
        assert!(instance.decode(b"ee").await.unwrap().emitted.is_empty());
        let last = instance.finish().await.unwrap();
        assert_eq!(
            last.emitted[0].batch.column(0).as_string::<i32>().value(0),
            "three"
        );
    }
    assert!(matches!(
        instance.process(&batch(1)).await,
        Err(SandboxError::BadCall { .. })
    ));
}

#[tokio::test]
async fn rejections_are_deduplicated_and_escaped() {
    let given = run(json!({ "mode": "reject" }), &Limits::default())
        .await
        .unwrap();
    let finding = &given.findings[0];
    assert_eq!(
        (
            &finding.rows,
            finding.rule.as_str(),
            finding.message.as_str()
        ),
        (&vec![0, 2], "odd", "it is odd\\n")
    );
    assert_eq!(given.emitted.len(), 1);
}

#[tokio::test]
async fn origins_are_kept() {
    let given = run(json!({ "mode": "origin" }), &Limits::default())
        .await
        .unwrap();
    assert_eq!(given.emitted[0].origin, Some((0..10).rev().collect()));
    let given = run(json!({ "mode": "constant", "rows": 3 }), &Limits::default()).await;
    assert!(given.is_ok());
}

#[tokio::test]
async fn metrics_are_summed() {
    let mut instance = bound(json!({ "mode": "metrics" }), &Limits::default()).await;
    instance.process(&batch(10)).await.unwrap();
    instance.process(&batch(5)).await.unwrap();
    assert_eq!(
        instance.usage().metrics.into_iter().collect::<Vec<_>>(),
        [("seen".to_owned(), 17.0)]
    );
}

#[tokio::test]
async fn traps_are_named_and_say_nothing_of_the_guest() {
    for (mode, expected) in [
        ("trap", "unreachable"),
        ("panic", "unreachable"),
        ("recurse", "stack overflow"),
        ("exit", "exit with status 1"),
    ] {
        let error = attack(mode).await;
        assert!(
            matches!(&error, SandboxError::Trap { what, .. } if what.contains(expected)),
            "{mode}: {error}"
        );
        assert!(
            !error.to_string().contains("canary") && !format!("{error:?}").contains("canary"),
            "{error:?}"
        );
        assert!(error.hint().is_some() && !error.retryable());
    }
}

#[tokio::test]
async fn a_trap_at_batch_three_names_batch_three() {
    let mut instance = bound(json!({ "mode": "trap", "at": 3 }), &Limits::default()).await;
    instance.process(&batch(10)).await.unwrap();
    instance.process(&batch(10)).await.unwrap();
    let error = instance.process(&batch(10)).await.unwrap_err();
    assert_eq!(error.call_site().unwrap().batch, Some(3));
    assert!(error.to_string().contains("batch 3"), "{error}");
}

#[tokio::test]
async fn endless_loops_stop_at_the_deadline() {
    let began = Instant::now();
    let error = attack_with(json!({ "mode": "loop" }), &quick()).await;
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Deadline,
                allowed: 50,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("deadline"));
    let mut instance = transform()
        .await
        .instantiate("", &quick().into())
        .await
        .unwrap();
    let error = instance
        .bind(&request(json!({ "mode": "bind_loop" }), &batch(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Deadline,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.call_site().unwrap().call, Call::Bind);
    // Generous, since other tests share the processors; the guest-time bound is the next test's.
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_deadline_is_held_in_guest_time() {
    let mut instance = bound(json!({ "mode": "loop" }), &quick()).await;
    let before = instance.usage().guest_time;
    instance.process(&batch(10)).await.unwrap_err();
    let spent = instance.usage().guest_time - before;
    assert!(
        spent >= Duration::from_millis(50) && spent < Duration::from_millis(60),
        "{spent:?}"
    );
}

#[tokio::test]
async fn a_loop_yields_so_that_the_wall_clock_and_other_tasks_run() {
    let limits = Limits {
        deadline: Duration::from_secs(60),
        wall_clock: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut instance = bound(json!({ "mode": "loop" }), &limits).await;
    // This runtime has one thread: the timer of the join's other side fires only if the guest yields.
    let input = batch(10);
    let (error, ()) = tokio::join!(
        instance.process(&input),
        tokio::time::sleep(Duration::from_millis(10))
    );
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::WallClock,
                allowed: 100,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.retryable());
    assert!(matches!(
        instance.process(&input).await,
        Err(SandboxError::Poisoned { .. })
    ));
    honest().await;
}

#[tokio::test]
async fn a_cancelled_call_ends_the_instance() {
    let mut instance = bound(json!({ "mode": "loop" }), &Limits::default()).await;
    let input = batch(10);
    let cancelled = tokio::time::timeout(Duration::from_millis(20), instance.process(&input)).await;
    assert!(cancelled.is_err());
    assert!(matches!(
        instance.process(&input).await,
        Err(SandboxError::Poisoned { .. })
    ));
    honest().await;
}

#[tokio::test]
async fn memory_bombs_stop_at_the_grant() {
    let limits = Limits {
        memory: 16 << 20,
        deadline: Duration::from_secs(20),
        ..Limits::default()
    };
    let error = attack_with(json!({ "mode": "bomb" }), &limits).await;
    assert!(
        matches!(error, SandboxError::Limit { which: LimitKind::Memory, allowed, .. } if allowed == 16 << 20),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("memory"));
    let mut instance = bound(json!({ "mode": "grow_kindly" }), &limits).await;
    instance
        .process(&batch(10))
        .await
        .expect("a denial that the guest survives is no error");
    assert!(instance.usage().peak_memory <= 16 << 20);
}

#[tokio::test]
async fn a_grant_above_the_pool_is_refused() {
    let limits = Limits {
        memory: 4 << 30,
        ..Limits::default()
    };
    let error = transform()
        .await
        .instantiate("", &limits.clone().into())
        .await
        .unwrap_err();
    assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
}

#[tokio::test]
async fn typed_errors_keep_their_kind() {
    for (kind, expected) in [
        ("config", PluginErrorKind::Config),
        ("data", PluginErrorKind::Data),
        ("retry", PluginErrorKind::Retry),
        ("fatal", PluginErrorKind::Fatal),
    ] {
        let error = attack_with(json!({ "mode": "error", "kind": kind }), &Limits::default()).await;
        match &error {
            SandboxError::PluginError { kind, message, .. } => {
                assert_eq!((*kind, message.as_str()), (expected, "why\\u{7}"));
            }
            other => panic!("{other}"),
        }
        assert_eq!(error.retryable(), expected == PluginErrorKind::Retry);
    }
}

#[tokio::test]
async fn a_long_message_is_cut_and_escaped() {
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    let error = instance
        .bind(&request(json!({ "mode": "bind_config_error" }), &batch(1)))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.len() < 1200 && text.contains("no\\nsuch \\u{202e}column") && !text.contains('\n'),
        "{text}"
    );
}

#[tokio::test]
async fn bad_batches_are_refused() {
    for (mode, part) in [
        ("bad_offsets", "offsets"),
        ("bad_utf8", "UTF-8"),
        ("bad_null_count", "nulls"),
        ("bad_length", "values where there must be"),
        ("missing_node", "nodes"),
        ("extra_buffer", "buffers"),
        ("short_buffer", "a buffer of 3 bytes where 80 are needed"),
        ("bad_output", "output 7"),
        ("origin_out_of_range", "origin 10 of 10"),
        ("origin_length", "an origin of 1 for 10 rows"),
        ("origin_absent", "0 rows without an origin"),
    ] {
        let error = attack(mode).await;
        assert!(
            matches!(&error, SandboxError::BadBatch { why, .. } if why.contains(part)),
            "{mode}: {error}"
        );
    }
    let error = attack("bad_rows").await;
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::OutputRows,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn calls_against_the_contract_are_refused() {
    let error = attack("reject_out_of_range").await;
    assert!(
        matches!(&error, SandboxError::Contract { why, .. } if why.contains("row 10 of 10")),
        "{error}"
    );
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    let error = instance
        .bind(&request(json!({ "mode": "bind_emit" }), &batch(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::Contract { why, .. } if why.contains("during bind")),
        "{error}"
    );
    let mut instance = bound(json!({ "mode": "finish_emit" }), &Limits::default()).await;
    let error = instance.finish().await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::Contract { why, .. } if why.contains("during finish")),
        "{error}"
    );
}

#[tokio::test]
async fn bad_schemas_are_refused() {
    for (mode, part) in [
        ("bind_many_fields", "5000"),
        ("bind_children", "announces 7 children"),
        ("bind_duplicate", "named 'a'"),
        ("bind_long_name", "1048576 bytes"),
    ] {
        let mut instance = transform()
            .await
            .instantiate("", &Terms::default())
            .await
            .unwrap();
        let error = instance
            .bind(&request(json!({ "mode": mode }), &batch(1)))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, SandboxError::BadSchema { why, .. } if why.contains(part)),
            "{mode}: {error}"
        );
        assert!(matches!(
            instance.process(&batch(1)).await,
            Err(SandboxError::BadCall { .. } | SandboxError::Poisoned { .. })
        ));
    }
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    let error = instance
        .bind(&request(json!({ "mode": "bind_huge" }), &batch(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Hostcall,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn output_is_bounded_in_bytes_and_rows() {
    let limits = Limits {
        output_bytes: 4096,
        ..Limits::default()
    };
    let error = attack_with(json!({ "mode": "amplify" }), &limits).await;
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::OutputBytes,
                allowed: 4096,
                ..
            }
        ),
        "{error}"
    );
    let limits = Limits {
        deadline: Duration::from_secs(20),
        ..Limits::default()
    };
    let error = attack_with(json!({ "mode": "amplify" }), &limits).await;
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::OutputRows,
                allowed: 75_536,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn log_floods_are_counted_and_dropped() {
    for mode in ["log", "print"] {
        let limits = Limits {
            deadline: Duration::from_secs(20),
            ..Limits::default()
        };
        let mut instance = bound(json!({ "mode": mode }), &limits).await;
        instance.process(&batch(10)).await.unwrap();
        let dropped = instance.usage().log_lines_dropped;
        assert!((95_000..100_000).contains(&dropped), "{mode}: {dropped}");
    }
}

#[tokio::test]
async fn the_world_outside_is_empty_still_and_the_same_each_time() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut instance = transform()
            .await
            .instantiate("", &Terms::default())
            .await
            .unwrap();
        let began = Instant::now();
        let error = instance
            .bind(&request(json!({ "mode": "clock" }), &batch(1)))
            .await
            .unwrap_err();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "a sleep does not wait"
        );
        match error {
            SandboxError::PluginError { message, .. } => seen.push(message),
            other => panic!("{other}"),
        }
    }
    assert_eq!(seen[0], seen[1]);
    assert!(
        seen[0].starts_with("31536000 Ok(946684800) "),
        "{}",
        seen[0]
    );
    assert!(seen[0].ends_with(" 0 false false"), "{}", seen[0]);
}

#[tokio::test]
async fn encodings_and_slices_cross_as_plain_columns() {
    use arrow::array::{DictionaryArray, StringViewArray};
    use arrow::datatypes::Int8Type;
    let dictionary: DictionaryArray<Int8Type> = vec![Some("a"), None, Some("b"), Some("a")]
        .into_iter()
        .collect();
    let view = StringViewArray::from(vec!["a long string past the inline size", "x", "y", "z"]);
    let numbers = Int64Array::from(vec![Some(1), None, Some(3), Some(4)]);
    let input = RecordBatch::try_from_iter_with_nullable([
        ("d", Arc::new(dictionary) as ArrayRef, true),
        ("v", Arc::new(view) as ArrayRef, true),
        ("n", Arc::new(numbers) as ArrayRef, true),
    ])
    .unwrap()
    .slice(1, 3);
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    instance.bind(&request(json!({}), &input)).await.unwrap();
    let given = instance.process(&input).await.unwrap();
    let out = &given.emitted[0].batch;
    assert_eq!(
        out.column(0).as_string::<i32>().iter().collect::<Vec<_>>(),
        [None, Some("b"), Some("a")]
    );
    assert_eq!(
        out.column(1)
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect::<Vec<_>>(),
        ["x", "y", "z"]
    );
    assert_eq!(
        out.column(2)
            .as_primitive::<Int64Type>()
            .iter()
            .collect::<Vec<_>>(),
        [None, Some(3), Some(4)]
    );
    assert_eq!(out.column(2).null_count(), 1);
}

#[tokio::test]
async fn calls_out_of_order_are_refused_and_harmless() {
    let mut instance = transform()
        .await
        .instantiate("", &Terms::default())
        .await
        .unwrap();
    let refused = |result: Result<_, SandboxError>| {
        assert!(matches!(result, Err(SandboxError::BadCall { .. })))
    };
    refused(instance.process(&batch(1)).await);
    refused(instance.finish().await);
    refused(instance.decode(b"").await);
    instance.bind(&request(json!({}), &batch(1))).await.unwrap();
    assert!(matches!(
        instance.bind(&request(json!({}), &batch(1))).await,
        Err(SandboxError::BadCall { .. })
    ));
    refused(instance.process(&batch(8193)).await);
    refused(instance.process(&batch(1).project(&[0]).unwrap()).await);
    refused(
        instance
            .process(&batch(1).project(&[0, 2, 1]).unwrap())
            .await,
    );
    instance
        .process(&batch(8192))
        .await
        .expect("none of it did harm");
    instance.finish().await.unwrap();
    refused(instance.process(&batch(1)).await);
}

#[tokio::test]
async fn a_row_too_large_is_an_error_of_its_own() {
    let limits = Limits {
        memory: 4 << 20,
        ..Limits::default()
    };
    let mut instance = transform()
        .await
        .instantiate("", &limits.clone().into())
        .await
        .unwrap();
    let input = RecordBatch::try_from_iter([(
        "text",
        Arc::new(StringArray::from(vec![
            "small".to_owned(),
            "x".repeat(2 << 20),
            "small".to_owned(),
        ])) as ArrayRef,
    )])
    .unwrap();
    instance.bind(&request(json!({}), &input)).await.unwrap();
    let parts = split(&input, limits.memory);
    assert_eq!(
        parts.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [1, 1, 1]
    );
    assert!(matches!(
        instance.process(&input).await,
        Err(SandboxError::BadCall { .. })
    ));
    let error = instance.process(&parts[1]).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::RowTooLarge { allowed, .. } if allowed == 1 << 20),
        "{error}"
    );
    instance
        .process(&parts[0])
        .await
        .expect("the instance lives on");
}

#[tokio::test]
async fn the_pool_is_bounded() {
    let small = Sandbox::new(SandboxOptions {
        max_instances: 1,
        ..SandboxOptions::default()
    })
    .unwrap();
    let plugin = small.load("t", guest("transform")).await.unwrap();
    let first = plugin.instantiate("", &Terms::default()).await.unwrap();
    let error = plugin.instantiate("", &Terms::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Instances,
                allowed: 1,
                ..
            }
        ),
        "{error}"
    );
    drop(first);
    plugin
        .instantiate("", &Terms::default())
        .await
        .expect("a dropped instance makes room");
}
