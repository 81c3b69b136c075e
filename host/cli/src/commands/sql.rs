//! `weir sql`.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use weir_engine::lake::Lake;
use weir_engine::store::Stores;
use weir_engine::{Error, query};

use crate::args::{RowsOutput, SqlArgs};
use crate::commands::{print, resources, written};
use crate::failure::Failure;

/// A table for people holds no more rows than this; for all of them there is CSV and JSON.
const MOST_ROWS: usize = 10_000;

pub(crate) async fn run(args: &SqlArgs) -> Result<u8, Failure> {
    let lake = Lake::at(&args.lake.lake, &Stores::default()).await?;
    let rows = query::sql(&lake, &args.query, resources()?).await?;
    print_rows(rows, args.output).await
}

/// Prints the rows of a query.
pub(crate) async fn print_rows(mut rows: query::Rows, output: RowsOutput) -> Result<u8, Failure> {
    let schema = rows.schema();
    match output {
        RowsOutput::Text => {
            let mut batches = vec![RecordBatch::new_empty(schema)];
            let mut count = 0;
            let mut more = false;
            while let Some(batch) = rows.try_next().await.map_err(Error::from)? {
                let room = MOST_ROWS - count;
                more |= batch.num_rows() > room;
                let kept = batch.slice(0, batch.num_rows().min(room));
                count += kept.num_rows();
                batches.push(kept);
                if more {
                    break;
                }
            }
            let text = pretty_format_batches(&batches).map_err(Error::from)?;
            print(&format!("{text}\n"))?;
            if more {
                eprintln!("the first {MOST_ROWS} rows; --output csv or json gives all");
            }
        }
        RowsOutput::Json => {
            while let Some(batch) = rows.try_next().await.map_err(Error::from)? {
                let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
                writer.write(&batch).map_err(Error::from)?;
                writer.finish().map_err(Error::from)?;
                if !send(&writer.into_inner())? {
                    break;
                }
            }
        }
        RowsOutput::Csv => {
            let mut header = true;
            let mut next = Some(RecordBatch::new_empty(schema));
            while let Some(batch) = next {
                let mut text = Vec::new();
                arrow::csv::WriterBuilder::new()
                    .with_header(header)
                    .build(&mut text)
                    .write(&batch)
                    .map_err(Error::from)?;
                header = false;
                if !send(&text)? {
                    break;
                }
                next = rows.try_next().await.map_err(Error::from)?;
            }
        }
    }
    Ok(0)
}

/// Writes to stdout; whether the reader wants more.
fn send(bytes: &[u8]) -> Result<bool, Failure> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        outcome => written(outcome).map(|()| true),
    }
}
