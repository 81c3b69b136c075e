//! Partition columns whose values come from the rows, and data files written by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{CastOptions, DatePart, cast_with_options, date_part, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, SchemaRef, TimeUnit};
use arrow::row::{RowConverter, SortField};
use sha2::{Digest, Sha256};
use weir_pipeline::PartitionPart;

use crate::data_file::{DataFileWriter, Lasting};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::plan::hex;
use crate::segment::WrittenFile;

/// At most so many files are open in one writer: with more, the one that has waited longest is closed.
const MOST_OPEN: usize = 64;
/// The open files of a writer hold about so many bytes together: with more, the largest is flushed.
const MOST_HELD: usize = 64 << 20;

/// A partition column whose value each row has.
#[derive(Debug, Clone)]
pub struct PartitionColumn {
    /// Its name in the table.
    pub name: String,
    /// The index of the column that it is taken from, in the rows that are written.
    pub index: usize,
    /// What is taken of it.
    pub part: PartitionPart,
    /// Its type in the table.
    pub data_type: DataType,
}

impl PartitionColumn {
    /// The type of a partition column that takes `part` of a column, which the lake keeps as `source`.
    ///
    /// # Errors
    /// What columns can be taken.
    pub fn data_type(part: PartitionPart, source: &DataType) -> Result<DataType, &'static str> {
        let temporal = matches!(source, DataType::Date32 | DataType::Timestamp(_, _));
        let plain = source.is_integer()
            || matches!(
                source,
                DataType::Utf8 | DataType::Date32 | DataType::Boolean
            );
        match part {
            PartitionPart::Whole if plain => Ok(source.clone()),
            PartitionPart::Whole => Err("a text, a whole number, a date, or true and false"),
            PartitionPart::Year if temporal => Ok(DataType::Int32),
            PartitionPart::Month if temporal => Ok(DataType::Utf8),
            PartitionPart::Day if temporal => Ok(DataType::Date32),
            PartitionPart::Year | PartitionPart::Month | PartitionPart::Day => {
                Err("a date or a timestamp")
            }
        }
    }

    /// The column as the table has it.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.data_type.clone(), true)
    }

    /// The values of rows, as Delta writes them. Source: Delta transaction log protocol, "Partition
    /// Value Serialization".
    ///
    /// # Errors
    /// Input, where a value is the empty text, which Delta takes for null.
    pub fn texts(&self, column: &ArrayRef) -> Result<StringArray> {
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let text = |column: &ArrayRef| -> Result<StringArray> {
            let text = cast_with_options(column, &DataType::Utf8, &strict)?;
            Ok(text.as_string::<i32>().clone())
        };
        // Moments are taken in UTC, as the table keeps them.
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let column = &match column.data_type() {
            DataType::Timestamp(_, Some(_)) => cast_with_options(column, &utc, &strict)?,
            _ => Arc::clone(column),
        };
        match self.part {
            PartitionPart::Whole => {
                let texts = text(&cast_with_options(column, &self.data_type, &strict)?)?;
                if self.data_type == DataType::Utf8
                    && texts.iter().any(|value| value.is_some_and(str::is_empty))
                {
                    return Err(Error::new(
                        ErrorKind::Input,
                        format!("'{}' is empty in some rows, and is a partition column, which cannot be", self.name),
                    )
                    .with_hint("make empty texts null in a query, or check the column, which keeps such rows aside"));
                }
                Ok(texts)
            }
            PartitionPart::Year => text(&date_part(column, DatePart::Year)?),
            PartitionPart::Month => {
                let years = date_part(column, DatePart::Year)?;
                let months = date_part(column, DatePart::Month)?;
                let pairs = years.as_primitive::<Int32Type>().iter();
                let pairs = pairs.zip(months.as_primitive::<Int32Type>().iter());
                Ok(pairs
                    .map(|(year, month)| Some(format!("{:04}-{:02}", year?, month?)))
                    .collect())
            }
            PartitionPart::Day => text(&cast_with_options(column, &DataType::Date32, &strict)?),
        }
    }
}

/// A folder for partition values. The table's log says which values a file has; the folder's name only
/// helps people, and is one safe path segment a value whatever the value is.
pub fn folder<'a>(values: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    values
        .into_iter()
        .map(|(name, value)| {
            let value = value.map_or_else(|| "__null".to_owned(), safe_segment);
            format!("{}={value}", safe_segment(name))
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// The text itself where it is harmless, else a digest of it.
fn safe_segment(text: &str) -> String {
    let harmless = !text.is_empty()
        && text.len() <= 100
        && !text.starts_with(['.', '_'])
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if harmless {
        text.to_owned()
    } else {
        format!("x{}", hex(&Sha256::digest(text.as_bytes()), 32))
    }
}

/// Writes rows to files by their partition values: every file has rows of one partition.
pub struct PartitionedWriter {
    root: Location,
    folder: String,
    schema: SchemaRef,
    names: Arc<[String]>,
    lasting: Lasting,
    open: BTreeMap<Vec<Option<String>>, OpenPartition>,
    done: Vec<WrittenFile>,
    batches: u64,
}

struct OpenPartition {
    writer: DataFileWriter,
    /// The batch that was last written to it.
    last: u64,
}

impl PartitionedWriter {
    /// A writer of files of `schema` in `folder` (may be empty) below `root`, by partition columns of
    /// these `names` (may be none).
    pub fn new(
        root: &Location,
        folder: &str,
        schema: &SchemaRef,
        names: Arc<[String]>,
    ) -> PartitionedWriter {
        PartitionedWriter {
            root: root.clone(),
            folder: folder.to_owned(),
            schema: Arc::clone(schema),
            names,
            lasting: Lasting::Kept,
            open: BTreeMap::new(),
            done: Vec::new(),
            batches: 0,
        }
    }

    /// The same, for files that last so long.
    #[must_use]
    pub fn lasting(self, lasting: Lasting) -> PartitionedWriter {
        PartitionedWriter { lasting, ..self }
    }

    /// Writes rows; `values` has for each partition column the rows' values.
    pub async fn write(&mut self, rows: &RecordBatch, values: &[StringArray]) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.batches += 1;
        for (key, indices) in groups(values, rows.num_rows())? {
            match indices {
                None => self.write_to(key, rows).await?,
                Some(indices) => {
                    let part = take_record_batch(rows, &UInt32Array::from(indices))?;
                    self.write_to(key, &part).await?;
                }
            }
        }
        Ok(())
    }

    async fn write_to(&mut self, key: Vec<Option<String>>, rows: &RecordBatch) -> Result<()> {
        if let Some((key, open)) = self.one_too_many(&key) {
            self.close(key, open).await?;
        }
        let values = key.iter().map(Option::as_deref);
        let below = folder(self.names.iter().map(String::as_str).zip(values));
        let open = self.open.entry(key).or_insert_with(|| {
            let folder = match (self.folder.as_str(), below.as_str()) {
                (folder, "") => folder.to_owned(),
                ("", below) => below.to_owned(),
                (folder, below) => format!("{folder}/{below}"),
            };
            OpenPartition {
                writer: DataFileWriter::new(&self.root, &folder, &self.schema)
                    .lasting(self.lasting),
                last: 0,
            }
        });
        open.last = self.batches;
        open.writer.write(rows).await?;
        match self.too_much() {
            Some(largest) => largest.writer.flush().await,
            None => Ok(()),
        }
    }

    /// The partition that holds most, where all together hold too much. One file alone bounds itself.
    fn too_much(&mut self) -> Option<&mut OpenPartition> {
        let held: usize = self.open.values().map(|open| open.writer.held()).sum();
        match held > MOST_HELD && self.open.len() > 1 {
            true => self.open.values_mut().max_by_key(|open| open.writer.held()),
            false => None,
        }
    }

    /// The partition that has waited longest, taken out, where there is no room for one more.
    fn one_too_many(
        &mut self,
        next: &[Option<String>],
    ) -> Option<(Vec<Option<String>>, OpenPartition)> {
        if self.open.len() < MOST_OPEN || self.open.contains_key(next) {
            return None;
        }
        let (longest, _) = self.open.iter().min_by_key(|(_, open)| open.last)?;
        let longest = longest.clone();
        self.open.remove_entry(&longest)
    }

    async fn close(&mut self, key: Vec<Option<String>>, open: OpenPartition) -> Result<()> {
        for file in open.writer.finish().await? {
            self.done.push(WrittenFile {
                partition: key.clone(),
                ..file
            });
        }
        Ok(())
    }

    /// Closes what is open and gives all files, each durable.
    pub async fn finish(mut self) -> Result<Vec<WrittenFile>> {
        for (key, open) in std::mem::take(&mut self.open) {
            self.close(key, open).await?;
        }
        Ok(self.done)
    }
}

/// The rows of each combination of values; without indices where all rows have it.
#[expect(clippy::type_complexity, reason = "a list of pairs")]
fn groups(
    values: &[StringArray],
    rows: usize,
) -> Result<Vec<(Vec<Option<String>>, Option<Vec<u32>>)>> {
    let key = |row: usize| -> Vec<Option<String>> {
        values
            .iter()
            .map(|column| column.is_valid(row).then(|| column.value(row).to_owned()))
            .collect()
    };
    if values.is_empty() {
        return Ok(vec![(Vec::new(), None)]);
    }
    let converter = RowConverter::new(
        values
            .iter()
            .map(|_| SortField::new(DataType::Utf8))
            .collect(),
    )?;
    let columns: Vec<ArrayRef> = values
        .iter()
        .map(|column| Arc::new(column.clone()) as ArrayRef)
        .collect();
    let converted = converter.convert_columns(&columns)?;
    let mut groups: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for (index, row) in (0_u32..).zip(converted.iter()) {
        groups.entry(row).or_default().push(index);
    }
    if groups.len() == 1 && rows > 0 {
        return Ok(vec![(key(0), None)]);
    }
    Ok(groups
        .into_values()
        .filter_map(|indices| {
            let first = *indices.first()?;
            Some((key(first as usize), Some(indices)))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stores;
    use arrow::array::{Date32Array, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::Schema;

    #[test]
    fn a_folder_is_one_safe_segment_a_value() {
        let of = |text: &str| folder([("d", Some(text))]);
        assert_eq!(of("2024-01-01"), "d=2024-01-01");
        for evil in [
            "..", "../x", "a/b", "%2e%2e", "a\0b", "", "/etc", "ä", "a\\b", "__null",
        ] {
            let folder = of(evil);
            assert!(
                folder.starts_with("d=x") && folder.len() == 35,
                "{evil:?} gave {folder}"
            );
        }
        assert_eq!(folder([("a", None), ("b", Some("1"))]), "a=__null/b=1");
    }

    #[test]
    fn parts_of_dates_and_moments() {
        let column = |part, source: &DataType| PartitionColumn {
            name: "p".to_owned(),
            index: 0,
            part,
            data_type: PartitionColumn::data_type(part, source).unwrap(),
        };
        // 2024-02-29, null, 1969-12-31.
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(19_782), None, Some(-1)]));
        let moments: ArrayRef = Arc::new(
            TimestampMicrosecondArray::from(vec![
                Some(19_782 * 86_400_000_000 + 1),
                None,
                Some(-1),
            ])
            .with_timezone("UTC"),
        );
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (array, source) in [(&days, &DataType::Date32), (&moments, &utc)] {
            let texts = |part| {
                let texts = column(part, source).texts(array).unwrap();
                texts
                    .iter()
                    .map(|text| text.map(str::to_owned))
                    .collect::<Vec<_>>()
            };
            let expected =
                |one: &str, two: &str| vec![Some(one.to_owned()), None, Some(two.to_owned())];
            assert_eq!(texts(PartitionPart::Year), expected("2024", "1969"));
            assert_eq!(texts(PartitionPart::Month), expected("2024-02", "1969-12"));
            assert_eq!(
                texts(PartitionPart::Day),
                expected("2024-02-29", "1969-12-31")
            );
        }
        assert!(PartitionColumn::data_type(PartitionPart::Year, &DataType::Utf8).is_err());
        assert!(PartitionColumn::data_type(PartitionPart::Whole, &DataType::Float64).is_err());
    }

    #[test]
    fn an_empty_text_is_no_partition_value() {
        let column = PartitionColumn {
            name: "state".to_owned(),
            index: 0,
            part: PartitionPart::Whole,
            data_type: DataType::Utf8,
        };
        let rows: ArrayRef = Arc::new(StringArray::from(vec![Some("NY"), None]));
        assert_eq!(column.texts(&rows).unwrap().value(0), "NY");
        let rows: ArrayRef = Arc::new(StringArray::from(vec!["NY", ""]));
        let error = column.texts(&rows).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(!error.to_string().contains("NY"));
    }

    #[tokio::test]
    async fn every_file_has_rows_of_one_partition_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let root = Location::parse(dir.path().to_str().unwrap(), &Stores::default()).unwrap();
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        let names: Arc<[String]> = Arc::from(["p".to_owned()]);
        let mut writer = PartitionedWriter::new(&root, "s=1", &schema, names);
        let partitions = MOST_OPEN + 5;
        for round in 0..2 {
            let ids: Vec<i64> = (0..300).map(|id| id + round * 300).collect();
            let values: StringArray = ids
                .iter()
                .map(|id| (id % 7 != 0).then(|| (*id as usize % partitions).to_string()))
                .collect();
            let rows =
                RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(ids))])
                    .unwrap();
            writer.write(&rows, &[values]).await.unwrap();
        }
        let files = writer.finish().await.unwrap();
        assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 600);
        assert!(files.len() > partitions);
        for file in &files {
            let [value] = file.partition.as_slice() else {
                panic!("{:?}", file.partition);
            };
            let below = value.as_deref().unwrap_or("__null");
            assert!(
                file.path.starts_with(&format!("s=1/p={below}/part-")),
                "{}",
                file.path
            );
            assert!(dir.path().join(&file.path).is_file());
        }
    }
}
