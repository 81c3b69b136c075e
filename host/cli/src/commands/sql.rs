//! `weir sql`.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use weir_engine::lake::Lake;
use weir_engine::{Error, query};

use crate::args::{RowsOutput, SqlArgs};
use crate::commands::resources;
use crate::failure::Failure;

/// A table for people holds no more rows than this; for all of them there is CSV and JSON.
const MOST_ROWS: usize = 10_000;

pub(crate) async fn run(args: &SqlArgs) -> Result<u8, Failure> {
    let lake = Lake::at(&args.lake.lake).await?;
    let mut rows = query::sql(&lake, &args.query, resources()?).await?;
    let schema = rows.schema();
    let mut stdout = std::io::stdout().lock();
    let written = |error: &dyn std::fmt::Display| Failure::new(format!("cannot write: {error}"));
    match args.output {
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
            writeln!(stdout, "{text}").map_err(|error| written(&error))?;
            if more {
                eprintln!("the first {MOST_ROWS} rows; --output csv or json gives all");
            }
        }
        RowsOutput::Json => {
            let mut writer = arrow::json::LineDelimitedWriter::new(stdout);
            while let Some(batch) = rows.try_next().await.map_err(Error::from)? {
                writer.write(&batch).map_err(|error| written(&error))?;
            }
            writer.finish().map_err(|error| written(&error))?;
        }
        RowsOutput::Csv => {
            let mut writer = arrow::csv::Writer::new(stdout);
            writer
                .write(&RecordBatch::new_empty(schema))
                .map_err(|error| written(&error))?;
            while let Some(batch) = rows.try_next().await.map_err(Error::from)? {
                writer.write(&batch).map_err(|error| written(&error))?;
            }
        }
    }
    Ok(0)
}
