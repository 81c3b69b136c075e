//! What it costs to cross the border: batches into a guest that emits them back unchanged, verified.
//!
//! `cargo bench -p weir-sandbox --bench crossing`. A column set is `int64` columns with every third
//! one `utf8` of about ten bytes. 65,536 rows go as eight batches of 8,192, which is what `split`
//! makes of them. Bytes are counted in and out. Each figure is the median of several rounds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use weir_sandbox::{BindRequest, Limits, Sandbox, SandboxOptions, split};

const ROUNDS: usize = 15;
/// Rows that one round moves, at least.
const ROWS_A_ROUND: usize = 400_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guest = guest()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:>7} {:>8} {:>9} {:>14} {:>14} {:>10}",
        "columns", "rows", "batches", "deadlines", "ns/row", "GB/s"
    );
    for deadlines in [true, false] {
        let sandbox = Sandbox::new(SandboxOptions {
            deadlines,
            max_instances: 4,
            ..SandboxOptions::default()
        })?;
        let plugin = runtime.block_on(sandbox.load("identity", guest.clone()))?;
        for columns in [1, 3, 23] {
            for rows in [1_024, 8_192, 65_536] {
                let batch = batch(columns, rows)?;
                let (nanoseconds, gigabytes, batches) =
                    runtime.block_on(measure(&plugin, &batch))?;
                let deadlines = if deadlines { "on" } else { "off" };
                println!(
                    "{columns:>7} {rows:>8} {batches:>9} {deadlines:>14} {nanoseconds:>14.2} {gigabytes:>10.2}"
                );
            }
        }
    }
    Ok(())
}

/// Nanoseconds a row, gigabytes a second, batches.
async fn measure(
    plugin: &weir_sandbox::Plugin,
    batch: &RecordBatch,
) -> Result<(f64, f64, usize), Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let mut instance = plugin.instantiate("bench", &limits.clone().into()).await?;
    let request = BindRequest {
        config: serde_json::json!({}),
        pipeline: "bench".into(),
        step: "bench".into(),
        parameters: Vec::new(),
        input: batch.schema(),
        side_inputs: Vec::new(),
    };
    instance.bind(&request).await?;
    let parts = split(batch, limits.memory);
    let repeats = ROWS_A_ROUND.div_ceil(batch.num_rows());
    let mut times = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for round in 0..=ROUNDS {
        let before = instance.usage();
        let began = Instant::now();
        for _ in 0..repeats {
            for part in &parts {
                let given = instance.process(part).await?;
                assert!(
                    given
                        .emitted
                        .iter()
                        .map(|emitted| emitted.batch.num_rows())
                        .sum::<usize>()
                        == part.num_rows()
                );
                drop(given);
            }
        }
        // The first round warms up.
        if round > 0 {
            times.push(began.elapsed().as_secs_f64());
        }
        let after = instance.usage();
        bytes = 2 * (after.bytes_in - before.bytes_in);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    let rows = (repeats * batch.num_rows()) as f64;
    Ok((
        median * 1e9 / rows,
        bytes as f64 / median / 1e9,
        parts.len(),
    ))
}

fn batch(columns: usize, rows: usize) -> Result<RecordBatch, arrow::error::ArrowError> {
    let count = i64::try_from(rows).unwrap_or(i64::MAX);
    RecordBatch::try_from_iter((0..columns).map(|i| {
        let column: ArrayRef = if i % 3 == 2 {
            Arc::new(
                (0..count)
                    .map(|row| Some(format!("name {:05}", row % 65_536)))
                    .collect::<StringArray>(),
            )
        } else {
            Arc::new((0..count).collect::<Int64Array>())
        };
        (format!("c{i}"), column)
    }))
}

/// Builds the test guests and reads the one that gives back what it is given.
fn guest() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .status()?;
    if !status.success() {
        return Err("the guests do not build".into());
    }
    Ok(std::fs::read(
        target.join("wasm32-wasip2/release/guest_transform.wasm"),
    )?)
}
