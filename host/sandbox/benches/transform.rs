//! What the sandbox costs a real transform: `plugins/synpuf` over drug events, the same source
//! compiled natively, as a component, and as a component without deadline checks.
//!
//! `cargo bench -p weir-sandbox --bench transform`, after `cargo xtask test` or a release build of
//! `plugins/` for `wasm32-wasip2`. Each figure is the median of several rounds over one batch of
//! 8,192 rows of eight text columns, of which six are parsed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use weir_plugin::testing::Harness;
use weir_sandbox::{BindRequest, Sandbox, SandboxOptions, Terms};

#[path = "../../../plugins/synpuf/src/lib.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "a bench is compiled as a test, but runs none of the plugin's own"
)]
mod synpuf;

const ROWS: usize = 8_192;
const ROUNDS: usize = 201;
const CONFIG: &str = r#"{ "table": "prescription_drug" }"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let batch = drug_events()?;
    let native = Harness::new(CONFIG).time_transform::<synpuf::Synpuf>(&batch, ROUNDS)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../plugins/target/wasm32-wasip2/release/synpuf.wasm");
    let component = std::fs::read(&path).map_err(|error| {
        format!(
            "{}: {error}; build plugins/ for wasm32-wasip2",
            path.display()
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let with = runtime.block_on(sandboxed(&component, &batch, true))?;
    let without = runtime.block_on(sandboxed(&component, &batch, false))?;
    println!("{:<28} {:>10} {:>8}", "", "ns/row", "ratio");
    for (name, time) in [
        ("native", native),
        ("sandbox", with),
        ("sandbox without deadlines", without),
    ] {
        let nanoseconds = time.as_secs_f64() * 1e9 / ROWS as f64;
        let ratio = time.as_secs_f64() / native.as_secs_f64();
        println!("{name:<28} {nanoseconds:>10.1} {ratio:>8.2}");
    }
    Ok(())
}

async fn sandboxed(
    component: &[u8],
    batch: &RecordBatch,
    deadlines: bool,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let sandbox = Sandbox::new(SandboxOptions {
        deadlines,
        max_instances: 4,
        ..SandboxOptions::default()
    })?;
    let plugin = sandbox.load("synpuf", component.to_vec()).await?;
    let mut instance = plugin.instantiate("bench", &Terms::default()).await?;
    instance
        .bind(&BindRequest {
            config: serde_json::from_str(CONFIG)?,
            pipeline: "bench".into(),
            step: "bench".into(),
            parameters: Vec::new(),
            input: batch.schema(),
            side_inputs: Vec::new(),
        })
        .await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let processed = instance.process(batch).await?;
        times.push(began.elapsed());
        assert_eq!(processed.emitted.len(), 1, "one batch in, one batch out");
    }
    times.sort_unstable();
    Ok(times.get(ROUNDS / 2).copied().unwrap_or_default())
}

/// Rows with the widths of CMS's own.
fn drug_events() -> Result<RecordBatch, arrow::error::ArrowError> {
    let column = |name: &str, value: &dyn Fn(usize) -> String| {
        let values: StringArray = (0..ROWS).map(|row| Some(value(row))).collect();
        (name.to_owned(), Arc::new(values) as ArrayRef)
    };
    RecordBatch::try_from_iter([
        column("desynpuf_id", &|row| format!("{:016X}", row * 7_919)),
        column("pde_id", &|row| format!("{:015}", row + 233_004_489_000)),
        column("srvc_dt", &|row| {
            format!("2009{:02}{:02}", row % 12 + 1, row % 28 + 1)
        }),
        column("prod_srvc_id", &|row| format!("{:011}", row * 31)),
        column("qty_dspnsd_num", &|row| format!("{}.000", row % 180)),
        column("days_suply_num", &|row| (row % 90).to_string()),
        column("ptnt_pay_amt", &|row| format!("{}.00", row % 50)),
        column("tot_rx_cst_amt", &|row| format!("{}.00", row % 400)),
    ])
}
