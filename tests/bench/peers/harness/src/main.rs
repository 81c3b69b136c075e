//! Runs the measured transforms in arrow-udf-runtime, for `../../sandbox`, which says when: it lists its
//! cases on stdout, then runs one for each line on stdin that names it (`sandbox/src/peers.rs`).
//!
//! The runtime is used as it comes: an engine of wasmtime's defaults, without limits.

#[path = "../../../shared/clock.rs"]
mod clock;
#[path = "../../../shared/data.rs"]
mod data;
#[path = "../../../shared/digest.rs"]
mod digest;

use std::io::{BufRead, Write};

use anyhow::Context;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field};
use arrow_udf_runtime::wasm::{FunctionHandle, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Case<'a> {
    task: &'static str,
    place: &'static str,
    rows: &'static str,
    function: FunctionHandle,
    batch: &'a RecordBatch,
}

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("give the guest's file")?;
    let guest = std::fs::read(&path).with_context(|| format!("cannot read {path}"))?;
    let runtime = Runtime::new(&guest)?;
    let (texts, numbers) = (data::texts()?, data::numbers()?);
    let cases = cases(&runtime, &texts, &numbers)?;

    let mut answers = std::io::stdout().lock();
    for case in &cases {
        writeln!(answers, "{}\t{}\t{}", case.task, case.place, case.rows)?;
    }
    writeln!(answers)?;
    answers.flush()?;
    for question in std::io::stdin().lock().lines() {
        let question = question?;
        let (case, repeats) = question
            .split_once(' ')
            .context("a question has two words")?;
        let case = cases.get(case.parse::<usize>()?).context("no such case")?;
        let mut last = None;
        let began = clock::thread_time();
        for _ in 0..repeats.parse::<usize>()? {
            last = Some(runtime.call(&case.function, case.batch)?);
        }
        let time = clock::thread_time().saturating_sub(began);
        let digest = last
            .map(flat)
            .as_ref()
            .and_then(digest::digest)
            .context("no rows to digest")?;
        writeln!(answers, "{} {digest}", time.as_nanos())?;
        answers.flush()?;
    }
    Ok(())
}

fn cases<'a>(
    runtime: &Runtime,
    texts: &'a RecordBatch,
    numbers: &'a RecordBatch,
) -> anyhow::Result<Vec<Case<'a>>> {
    const BY_BATCH: &str = "arrow-udf-runtime";
    const BY_MACRO: &str = "arrow-udf-runtime, its macro";
    let case = |task, place, rows, name: &str, batch: &'a RecordBatch, returns: DataType| {
        let takes = batch
            .columns()
            .iter()
            .map(|column| column.data_type().clone())
            .collect();
        anyhow::Ok(Case {
            task,
            place,
            rows,
            function: runtime.find_function(name, takes, returns)?,
            batch,
        })
    };
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let tidied = DataType::Struct(
        vec![
            field("id", DataType::Int64),
            field("name", DataType::Utf8),
            field("amount", DataType::Float64),
        ]
        .into(),
    );
    let settled = DataType::Struct(
        vec![
            field("id", DataType::Int64),
            field("due", DataType::Float64),
            field("interest", DataType::Float64),
            field("group", DataType::Int64),
        ]
        .into(),
    );
    let (text, number) = ("text, row by row", "numbers, row by row");
    Ok(vec![
        case(
            "crossing",
            BY_BATCH,
            "identity",
            "identity",
            texts,
            DataType::Int64,
        )?,
        case(text, BY_BATCH, "tidy", "tidy", texts, DataType::Int64)?,
        case(text, BY_MACRO, "tidy", "tidy_row", texts, tidied)?,
        case(
            number,
            BY_BATCH,
            "settle",
            "settle",
            numbers,
            DataType::Int64,
        )?,
        case(number, BY_MACRO, "settle", "settle_row", numbers, settled)?,
    ])
}

/// The columns of the struct that the macro's functions return; others as they are.
fn flat(rows: RecordBatch) -> RecordBatch {
    match rows.columns() {
        [one] => one.as_struct_opt().map(RecordBatch::from).unwrap_or(rows),
        _ => rows,
    }
}
