//! Data files: Parquet with unique names, never overwritten, with the statistics Delta keeps.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, SchemaRef,
};
use object_store::buffered::BufWriter;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::{AsyncArrowWriter, ParquetRecordBatchStreamBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::Location;
use crate::parquet_io::ObjectReader;
use crate::segment::WrittenFile;

/// A row group is closed when it is about this large in memory, to bound what a writer holds.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// A page, and a column's dictionary, are about this large at most: a writer of a wide table holds
/// one of each for every column.
const PAGE_BYTES: usize = 256 << 10;
/// A file is closed, and another begun, when it is about this large.
const FILE_BYTES: usize = 256 << 20;

/// Writes batches of one schema to as many files as it takes; none if there is no row.
pub struct DataFileWriter {
    root: Location,
    folder: String,
    schema: SchemaRef,
    file_bytes: usize,
    lasting: Lasting,
    open: Option<OpenFile>,
    done: Vec<WrittenFile>,
}

/// How long files are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// They are a table's: small, with statistics.
    Kept,
    /// They are read once and removed: what is quick to write and to read.
    Passing,
}

struct OpenFile {
    path: String,
    writer: AsyncArrowWriter<BufWriter>,
    rows: u64,
}

impl DataFileWriter {
    /// A writer of files in `folder` (may be empty) below `root`.
    pub fn new(root: &Location, folder: &str, schema: &SchemaRef) -> DataFileWriter {
        DataFileWriter {
            root: root.clone(),
            folder: folder.to_owned(),
            schema: Arc::clone(schema),
            file_bytes: FILE_BYTES,
            lasting: Lasting::Kept,
            open: None,
            done: Vec::new(),
        }
    }

    /// The same, but a file is closed when it is about `bytes` large.
    #[must_use]
    pub fn with_file_bytes(self, bytes: usize) -> DataFileWriter {
        DataFileWriter {
            file_bytes: bytes,
            ..self
        }
    }

    /// The same, for files that last so long.
    #[must_use]
    pub fn lasting(self, lasting: Lasting) -> DataFileWriter {
        DataFileWriter { lasting, ..self }
    }

    /// Writes a batch of the writer's schema.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let Some(open) = &mut self.open else {
            return Err(Error::internal("a data file is not open"));
        };
        open.writer
            .write(batch)
            .await
            .map_err(|error| parquet_error(&open.path, error))?;
        open.rows += batch.num_rows() as u64;
        if open.writer.in_progress_size() > ROW_GROUP_BYTES {
            open.writer
                .flush()
                .await
                .map_err(|error| parquet_error(&open.path, error))?;
        }
        if open.writer.bytes_written() > self.file_bytes {
            self.close().await?;
        }
        Ok(())
    }

    /// About how many bytes of the open file are in memory.
    pub fn held(&self) -> usize {
        self.open
            .as_ref()
            .map_or(0, |open| open.writer.in_progress_size())
    }

    /// Writes out what is in memory.
    pub async fn flush(&mut self) -> Result<()> {
        match &mut self.open {
            Some(open) => open
                .writer
                .flush()
                .await
                .map_err(|error| parquet_error(&open.path, error)),
            None => Ok(()),
        }
    }

    /// Closes what is open and gives all files, each durable.
    pub async fn finish(mut self) -> Result<Vec<WrittenFile>> {
        self.close().await?;
        Ok(self.done)
    }

    fn begin(&self) -> Result<OpenFile> {
        let kind = match self.lasting {
            Lasting::Kept => "zstd",
            Lasting::Passing => "snappy",
        };
        let name = format!("part-{}.{kind}.parquet", Uuid::now_v7());
        let path = match self.folder.as_str() {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        let location = self.root.file(&path);
        let level = ZstdLevel::try_new(1)
            .map_err(|error| Error::internal("zstd has no level 1").with_source(error))?;
        let properties = match self.lasting {
            Lasting::Kept => WriterProperties::builder().set_compression(Compression::ZSTD(level)),
            Lasting::Passing => WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_statistics_enabled(EnabledStatistics::None),
        };
        let properties = properties
            .set_dictionary_page_size_limit(PAGE_BYTES)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let sink = BufWriter::new(Arc::clone(location.store()), location.path().clone());
        let writer = AsyncArrowWriter::try_new(sink, Arc::clone(&self.schema), Some(properties))
            .map_err(|error| parquet_error(&path, error))?;
        Ok(OpenFile {
            path,
            writer,
            rows: 0,
        })
    }

    async fn close(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let metadata = open
            .writer
            .finish()
            .await
            .map_err(|error| parquet_error(&open.path, error))?;
        let bytes = open.writer.bytes_written() as u64;
        self.done.push(WrittenFile {
            stats: Some(statistics(&self.schema, &metadata, open.rows).to_string()),
            path: open.path,
            rows: open.rows,
            bytes,
            partition: Vec::new(),
        });
        Ok(())
    }
}

/// The statistics of a file that is there, as the log of a Delta table keeps them.
pub async fn statistics_of(location: &Location) -> Result<String> {
    let broken = |error| {
        Error::storage(
            format!("the data file '{}' cannot be read", location.display()),
            error,
        )
        .with_hint("the file was decided on and must not change: restore it, then run again")
    };
    let builder = ParquetRecordBatchStreamBuilder::new(ObjectReader::new(location))
        .await
        .map_err(broken)?;
    let metadata = Arc::clone(builder.metadata());
    let rows = metadata.file_metadata().num_rows().unsigned_abs();
    Ok(statistics(builder.schema(), &metadata, rows).to_string())
}

fn parquet_error(path: &str, error: parquet::errors::ParquetError) -> Error {
    Error::storage(format!("the data file '{path}' cannot be written"), error).with_hint(
        "check that the disk has room and the store answers, then run the same command again",
    )
}

/// Delta's per-file statistics: rows, and for top-level columns nulls, least and greatest value
/// where Parquet knows them and JSON can say them exactly.
/// Format: Delta transaction log protocol, "Per-file Statistics".
fn statistics(schema: &Schema, metadata: &ParquetMetaData, rows: u64) -> Value {
    let mut least = Map::new();
    let mut greatest = Map::new();
    let mut nulls = Map::new();
    for field in schema.fields() {
        if matches!(field.data_type(), DataType::Struct(_) | DataType::List(_)) {
            continue;
        }
        let parquet_schema = metadata.file_metadata().schema_descr();
        let Ok(converter) = StatisticsConverter::try_new(field.name(), schema, parquet_schema)
        else {
            continue;
        };
        let groups = metadata.row_groups();
        if let Ok(counts) = converter.row_group_null_counts(groups)
            && counts.null_count() == 0
        {
            let sum: u64 = counts.values().iter().sum();
            nulls.insert(field.name().clone(), json!(sum));
        }
        // A group of nulls only has no bounds and does not narrow them; any other without bounds
        // leaves the file's unknown.
        let known = |bounds: &ArrayRef| {
            groups.iter().enumerate().all(|(index, group)| {
                bounds.is_valid(index)
                    || converter.row_group_null_counts([group]).is_ok_and(|nulls| {
                        nulls.len() == 1
                            && nulls.is_valid(0)
                            && i64::try_from(nulls.value(0)) == Ok(group.num_rows())
                    })
            })
        };
        if let Ok(mins) = converter.row_group_mins(groups)
            && known(&mins)
            && let Some(value) = extreme(&mins, true)
        {
            least.insert(field.name().clone(), value);
        }
        if let Ok(maxs) = converter.row_group_maxes(groups)
            && known(&maxs)
            && let Some(value) = extreme(&maxs, false)
        {
            greatest.insert(field.name().clone(), value);
        }
    }
    json!({
        "numRecords": rows,
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    })
}

/// The least (or greatest) of the row groups' bounds; `None` where the type has no exact JSON.
fn extreme(bounds: &ArrayRef, least: bool) -> Option<Value> {
    fn pick<T: Ord>(values: impl Iterator<Item = Option<T>>, least: bool) -> Option<T> {
        let values = values.flatten();
        if least { values.min() } else { values.max() }
    }
    match bounds.data_type() {
        DataType::Int8 => pick(bounds.as_primitive::<Int8Type>().iter(), least).map(Value::from),
        DataType::Int16 => pick(bounds.as_primitive::<Int16Type>().iter(), least).map(Value::from),
        DataType::Int32 => pick(bounds.as_primitive::<Int32Type>().iter(), least).map(Value::from),
        DataType::Int64 => pick(bounds.as_primitive::<Int64Type>().iter(), least).map(Value::from),
        DataType::Date32 => pick(bounds.as_primitive::<Date32Type>().iter(), least)
            .and_then(Date32Type::to_naive_date_opt)
            .filter(|day| (0..=9999).contains(&chrono::Datelike::year(day)))
            .map(|day| Value::from(day.format("%Y-%m-%d").to_string())),
        DataType::Utf8 => pick(bounds.as_string::<i32>().iter(), least).map(Value::from),
        _ => None,
    }
}
