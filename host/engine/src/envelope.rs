//! The batch that flows through a segment: one row for each input row, with all that was derived
//! from it, and, if it was rejected, why.
//!
//! A row that a stage rejects stays where it is and only loses what was derived from it. So the
//! nodes of a segment need no side channel, rows balance by construction, and the root writes
//! the input row whole to quarantine.
//!
//! ```text
//! input      struct of the segment's input columns
//! file       dictionary of text, null where the row is not from a file
//! ordinal    uint64, the row's place in its file
//! rejection  struct of stage, rule, message, dropped, raw; null while the row is good
//! warnings   list of struct of stage, rule; null while there is none
//! out:NAME   list of struct of the output's columns: the rows derived from this one
//! ```

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, ListBuilder, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder, StructArray, StructBuilder, UInt32Array,
    UInt32Builder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, UInt32Type};

use weir_decode::Reject;

use crate::error::{Error, Result};

/// Stands for all rules of a stage where rows are counted that may break several.
pub const ANY_RULE: &str = "";

/// Stands for the read where stages are numbered: records that cannot be read are rejected by it.
pub const READ_STAGE: u32 = u32::MAX;

/// The number of the write at `index` of its step where stages are numbered: rows that its target cannot
/// take are rejected by it.
pub fn write_stage(index: usize) -> u32 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    (READ_STAGE - 1).saturating_sub(index)
}

/// Columns before the outputs.
const FIXED: usize = 5;

/// The schema of a segment's batches at one point of its chain.
#[derive(Debug, Clone)]
pub struct EnvelopeLayout {
    schema: SchemaRef,
    input: SchemaRef,
    outputs: Vec<(String, SchemaRef)>,
}

fn rejection_fields() -> Fields {
    Fields::from(vec![
        Field::new("stage", DataType::UInt32, false),
        Field::new("rule", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("dropped", DataType::Boolean, false),
        // The text of a record that could not be read.
        Field::new("raw", DataType::Utf8, true),
    ])
}

fn warning_fields() -> Fields {
    Fields::from(vec![
        Field::new("stage", DataType::UInt32, false),
        Field::new("rule", DataType::Utf8, false),
    ])
}

fn item(fields: Fields) -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Struct(fields), false))
}

/// The type of the column that names the file.
pub fn file_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

impl EnvelopeLayout {
    /// The layout of a segment that reads rows of `input` and has come to have `outputs`.
    pub fn new(input: SchemaRef, outputs: Vec<(String, SchemaRef)>) -> EnvelopeLayout {
        let mut fields = vec![
            Field::new("input", DataType::Struct(input.fields().clone()), false),
            Field::new("file", file_type(), true),
            Field::new("ordinal", DataType::UInt64, true),
            Field::new("rejection", DataType::Struct(rejection_fields()), true),
            Field::new("warnings", DataType::List(item(warning_fields())), true),
        ];
        for (name, schema) in &outputs {
            fields.push(Field::new(
                format!("out:{name}"),
                DataType::List(item(schema.fields().clone())),
                false,
            ));
        }
        EnvelopeLayout {
            schema: Arc::new(Schema::new(fields)),
            input,
            outputs,
        }
    }

    /// The Arrow schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The schema of the segment's input rows.
    pub fn input(&self) -> &SchemaRef {
        &self.input
    }

    /// Names and schemas of the outputs.
    pub fn outputs(&self) -> &[(String, SchemaRef)] {
        &self.outputs
    }
}

/// The rows of one output, grouped by the row they were derived from.
#[derive(Debug, Clone)]
pub struct Derived {
    /// All of them.
    pub rows: RecordBatch,
    /// For envelope row *i* the rows from `offsets[i]` to `offsets[i + 1]`.
    offsets: OffsetBuffer<i32>,
}

impl Derived {
    /// Each row derived from the envelope row at its own place.
    fn identity(rows: RecordBatch) -> Derived {
        let lengths = std::iter::repeat_n(1, rows.num_rows());
        Derived {
            offsets: OffsetBuffer::from_lengths(lengths),
            rows,
        }
    }

    /// Rows with the envelope row each came from; brought in that order where they are not.
    fn from_parents(rows: RecordBatch, parents: Vec<u32>, envelope_rows: usize) -> Result<Derived> {
        let (rows, parents) = if parents.is_sorted() {
            (rows, parents)
        } else {
            let mut order: Vec<u32> = (0..).take(parents.len()).collect();
            order.sort_by_key(|index| parents.get(*index as usize));
            let rows = take_record_batch(&rows, &UInt32Array::from(order))?;
            let mut parents = parents;
            parents.sort_unstable();
            (rows, parents)
        };
        let mut lengths = vec![0_usize; envelope_rows];
        for parent in parents {
            *lengths
                .get_mut(parent as usize)
                .ok_or_else(|| Error::internal("a row came from beyond its batch"))? += 1;
        }
        Ok(Derived {
            rows,
            offsets: OffsetBuffer::from_lengths(lengths),
        })
    }

    /// For each row the envelope row it was derived from.
    pub fn parents(&self) -> Vec<u32> {
        let mut parents = Vec::with_capacity(self.rows.num_rows());
        for (parent, length) in (0_u32..).zip(self.offsets.lengths()) {
            parents.extend(std::iter::repeat_n(parent, length));
        }
        parents
    }
}

/// A row found wanting: its place in the envelope, the rule, and what the rule says of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The envelope row.
    pub row: u32,
    /// The rule.
    pub rule: Arc<str>,
    /// What a person reads in quarantine.
    pub message: Arc<str>,
}

/// A batch of a segment, taken apart.
#[derive(Debug, Clone)]
pub struct Envelope {
    rows: usize,
    input: ArrayRef,
    file: ArrayRef,
    ordinal: ArrayRef,
    rejection: ArrayRef,
    warnings: ArrayRef,
    outputs: Vec<Derived>,
}

impl Envelope {
    /// Wraps rows as they enter a segment: each is its own only derived row.
    pub fn wrap(batch: RecordBatch, file: ArrayRef, ordinal: ArrayRef) -> Envelope {
        let rows = batch.num_rows();
        Envelope {
            rows,
            input: Arc::new(StructArray::from(batch.clone())),
            file,
            ordinal,
            rejection: new_null_array(&DataType::Struct(rejection_fields()), rows),
            warnings: new_null_array(&DataType::List(item(warning_fields())), rows),
            outputs: vec![Derived::identity(batch)],
        }
    }

    /// Takes a batch of `layout` apart, without copying.
    pub fn open(layout: &EnvelopeLayout, batch: &RecordBatch) -> Result<Envelope> {
        let column = |index: usize| {
            batch
                .columns()
                .get(index)
                .cloned()
                .ok_or_else(|| Error::internal("an envelope lacks a column"))
        };
        let mut outputs = Vec::with_capacity(layout.outputs.len());
        for (index, (_, schema)) in layout.outputs.iter().enumerate() {
            let list = column(FIXED + index)?;
            let list = list
                .as_list_opt::<i32>()
                .ok_or_else(|| Error::internal("an envelope's output is no list"))?;
            let first = list.value_offsets().first().copied().unwrap_or_default();
            let last = list.value_offsets().last().copied().unwrap_or_default();
            let values = list.values().slice(first as usize, (last - first) as usize);
            let values = values
                .as_struct_opt()
                .ok_or_else(|| Error::internal("an envelope's output holds no rows"))?;
            let options = RecordBatchOptions::new().with_row_count(Some(values.len()));
            outputs.push(Derived {
                rows: RecordBatch::try_new_with_options(
                    Arc::clone(schema),
                    values.columns().to_vec(),
                    &options,
                )?,
                offsets: OffsetBuffer::from_lengths(list.offsets().lengths()),
            });
        }
        Ok(Envelope {
            rows: batch.num_rows(),
            input: column(0)?,
            file: column(1)?,
            ordinal: column(2)?,
            rejection: column(3)?,
            warnings: column(4)?,
            outputs,
        })
    }

    /// Puts the parts together as a batch of `layout`, without copying.
    pub fn close(self, layout: &EnvelopeLayout) -> Result<RecordBatch> {
        let mut columns = vec![
            self.input,
            self.file,
            self.ordinal,
            self.rejection,
            self.warnings,
        ];
        for (derived, (_, schema)) in self.outputs.into_iter().zip(&layout.outputs) {
            let fields = schema.fields().clone();
            let rows = derived.rows.num_rows();
            let values = StructArray::try_new_with_length(
                fields.clone(),
                derived.rows.columns().to_vec(),
                None,
                rows,
            )?;
            columns.push(Arc::new(ListArray::try_new(
                item(fields),
                derived.offsets,
                Arc::new(values),
                None,
            )?));
        }
        Ok(RecordBatch::try_new(Arc::clone(&layout.schema), columns)?)
    }

    /// Rows of the envelope.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// An output's derived rows.
    pub fn output(&self, index: usize) -> Result<&Derived> {
        self.outputs
            .get(index)
            .ok_or_else(|| Error::internal("an envelope lacks an output"))
    }

    /// Replaces output `index` by others, each given as rows with the row of the old output that
    /// each came from; `None` means one for one.
    pub fn replace_output(
        &mut self,
        index: usize,
        outputs: Vec<(RecordBatch, Option<Vec<u32>>)>,
    ) -> Result<()> {
        let old = self.output(index)?.clone();
        let parents = old.parents();
        let mut derived = Vec::with_capacity(outputs.len());
        for (rows, origin) in outputs {
            derived.push(match origin {
                None => Derived {
                    rows,
                    offsets: old.offsets.clone(),
                },
                Some(origin) => {
                    let composed = origin
                        .iter()
                        .map(|row| {
                            parents
                                .get(*row as usize)
                                .copied()
                                .ok_or_else(|| Error::internal("an origin lies beyond its batch"))
                        })
                        .collect::<Result<Vec<u32>>>()?;
                    Derived::from_parents(rows, composed, self.rows)?
                }
            });
        }
        self.outputs.splice(index..=index, derived);
        Ok(())
    }

    /// Rejects rows that are not rejected yet, and withdraws what was derived from them. Of
    /// several findings of one row the first counts.
    pub fn reject(&mut self, stage: u32, dropped: bool, findings: &[Finding]) -> Result<()> {
        self.put_aside(findings.iter().map(|finding| {
            let rejection = Rejection {
                stage,
                rule: &finding.rule,
                message: &finding.message,
                dropped,
                raw: None,
            };
            (finding.row, rejection)
        }))
    }

    /// Rejects the rows that stand for records that could not be read.
    pub fn reject_unread(&mut self, dropped: bool, unread: &Unread) -> Result<()> {
        let rows = (0_u32..).take(self.rows);
        self.put_aside(rows.filter_map(|row| Some((row, unread.get(row as usize, dropped)?))))
    }

    fn put_aside<'a>(
        &mut self,
        findings: impl Iterator<Item = (u32, Rejection<'a>)>,
    ) -> Result<()> {
        let mut fresh: BTreeMap<u32, Rejection<'a>> = BTreeMap::new();
        for (row, rejection) in findings {
            if (row as usize) < self.rows && self.rejection.is_null(row as usize) {
                fresh.entry(row).or_insert(rejection);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let before = self.rejections()?;
        let mut builder = StructBuilder::from_fields(rejection_fields(), self.rows);
        let mut put = |entry: Option<Rejection<'_>>| -> Option<()> {
            let given = entry.is_some();
            let entry = entry.unwrap_or_default();
            builder
                .field_builder::<UInt32Builder>(0)?
                .append_value(entry.stage);
            builder
                .field_builder::<StringBuilder>(1)?
                .append_value(entry.rule);
            builder
                .field_builder::<StringBuilder>(2)?
                .append_value(entry.message);
            builder
                .field_builder::<arrow::array::BooleanBuilder>(3)?
                .append_value(entry.dropped);
            builder
                .field_builder::<StringBuilder>(4)?
                .append_option(entry.raw);
            builder.append(given);
            Some(())
        };
        for row in (0_u32..).take(self.rows) {
            let entry = match fresh.get(&row) {
                Some(rejection) => Some(*rejection),
                None => before.get(row as usize),
            };
            put(entry).ok_or_else(|| Error::internal("a rejection has other fields"))?;
        }
        self.rejection = Arc::new(builder.finish());
        for derived in &mut self.outputs {
            let parents = derived.parents();
            let keep: BooleanArray = parents
                .iter()
                .map(|parent| Some(!fresh.contains_key(parent)))
                .collect();
            if keep.true_count() == keep.len() {
                continue;
            }
            let lengths: Vec<usize> = (0_u32..)
                .zip(derived.offsets.lengths())
                .map(|(parent, length)| {
                    if fresh.contains_key(&parent) {
                        0
                    } else {
                        length
                    }
                })
                .collect();
            derived.rows = filter_record_batch(&derived.rows, &keep)?;
            derived.offsets = OffsetBuffer::from_lengths(lengths);
        }
        Ok(())
    }

    /// Notes that rows break a rule and stay all the same.
    pub fn warn(&mut self, stage: u32, findings: &[Finding]) -> Result<()> {
        if findings.is_empty() {
            return Ok(());
        }
        let mut fresh: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for finding in findings {
            fresh.entry(finding.row).or_default().push(&finding.rule);
        }
        let before = self.warnings.as_list::<i32>().clone();
        let mut builder = ListBuilder::new(StructBuilder::from_fields(warning_fields(), 0))
            .with_field(item(warning_fields()));
        for row in (0_u32..).take(self.rows) {
            let mut put = |stage: u32, rule: &str| -> Option<()> {
                let entry = builder.values();
                entry.field_builder::<UInt32Builder>(0)?.append_value(stage);
                entry.field_builder::<StringBuilder>(1)?.append_value(rule);
                entry.append(true);
                Some(())
            };
            let mut any = false;
            if before.is_valid(row as usize) {
                for (stage, rule) in warnings_of(&before.value(row as usize))? {
                    put(stage, &rule)
                        .ok_or_else(|| Error::internal("a warning has other fields"))?;
                    any = true;
                }
            }
            for rule in fresh.get(&row).into_iter().flatten() {
                put(stage, rule).ok_or_else(|| Error::internal("a warning has other fields"))?;
                any = true;
            }
            builder.append(any);
        }
        self.warnings = Arc::new(builder.finish());
        Ok(())
    }

    /// The rejections, by row.
    pub fn rejections(&self) -> Result<Rejections> {
        let found = self.rejection.as_struct_opt().cloned();
        found
            .map(Rejections)
            .ok_or_else(|| Error::internal("an envelope's rejection is no struct"))
    }

    /// How many rows each (stage, rule) was warned of, and under [`ANY_RULE`] how many rows each
    /// stage was.
    pub fn count_warnings(&self, counts: &mut BTreeMap<(u32, String), u64>) -> Result<()> {
        if self.warnings.null_count() == self.rows {
            return Ok(());
        }
        let list = self.warnings.as_list::<i32>();
        for row in 0..self.rows {
            if list.is_valid(row) {
                let warnings = warnings_of(&list.value(row))?;
                let stages: BTreeSet<u32> = warnings.iter().map(|(stage, _)| *stage).collect();
                for stage in stages {
                    *counts.entry((stage, ANY_RULE.to_owned())).or_default() += 1;
                }
                for (stage, rule) in warnings {
                    *counts.entry((stage, rule)).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// The input rows at `rows`, with their file and ordinal.
    pub fn input_rows(&self, layout: &EnvelopeLayout, rows: &UInt32Array) -> Result<InputRows> {
        let input = self
            .input
            .as_struct_opt()
            .ok_or_else(|| Error::internal("an envelope's input is no struct"))?;
        let batch = RecordBatch::try_new(Arc::clone(&layout.input), input.columns().to_vec())?;
        Ok(InputRows {
            rows: take_record_batch(&batch, rows)?,
            file: arrow::compute::take(&self.file, rows, None)?,
            ordinal: arrow::compute::take(&self.ordinal, rows, None)?,
        })
    }
}

/// Input rows with where they came from.
#[derive(Debug)]
pub struct InputRows {
    /// The rows, whole.
    pub rows: RecordBatch,
    /// For each its file, or null.
    pub file: ArrayRef,
    /// For each its place in that file, or null.
    pub ordinal: ArrayRef,
}

/// Why a row was rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejection<'a> {
    /// The stage that rejected it; [`READ_STAGE`] for the read.
    pub stage: u32,
    /// The rule that it broke.
    pub rule: &'a str,
    /// What a person reads in quarantine.
    pub message: &'a str,
    /// Whether it is dropped rather than kept in quarantine.
    pub dropped: bool,
    /// The text of a record that could not be read. It is data: for quarantine alone.
    pub raw: Option<&'a str>,
}

/// Why rows of an envelope were rejected.
#[derive(Debug)]
pub struct Rejections(StructArray);

impl Rejections {
    /// Why a row was; `None` for a good row.
    pub fn get(&self, row: usize) -> Option<Rejection<'_>> {
        if row >= self.0.len() || self.0.is_null(row) {
            return None;
        }
        let [stage, rule, message, dropped, raw] = self.0.columns() else {
            return None;
        };
        let raw = raw.as_string_opt::<i32>()?;
        Some(Rejection {
            stage: stage.as_primitive_opt::<UInt32Type>()?.value(row),
            rule: rule.as_string_opt::<i32>()?.value(row),
            message: message.as_string_opt::<i32>()?.value(row),
            dropped: dropped.as_boolean_opt()?.value(row),
            raw: raw.is_valid(row).then(|| raw.value(row)),
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.null_count() == self.0.len()
    }
}

/// A row of a scan that stands for what could not be read.
#[derive(Debug)]
pub struct UnreadRow {
    /// Which row of the batch.
    pub row: usize,
    /// The rule's name.
    pub rule: Cow<'static, str>,
    /// What is wrong, and where in the file.
    pub message: String,
    /// The beginning of it, as text. It is data: not for logs or errors.
    pub raw: String,
}

impl From<Reject> for UnreadRow {
    fn from(reject: Reject) -> UnreadRow {
        UnreadRow {
            row: reject.row,
            rule: reject.rule.name().into(),
            message: reject.message,
            raw: reject.raw,
        }
    }
}

/// What a scan says of the records of a batch that could not be read.
#[derive(Debug)]
pub struct Unread(StructArray);

impl Unread {
    /// The fields of a scan's hidden column.
    pub fn fields() -> Fields {
        Fields::from(vec![
            Field::new("rule", DataType::Utf8, false),
            Field::new("message", DataType::Utf8, false),
            Field::new("raw", DataType::Utf8, false),
        ])
    }

    /// That column for `rows` rows, null where a row is one.
    pub fn column(rejects: &[UnreadRow], rows: usize) -> Result<ArrayRef> {
        if rejects.is_empty() {
            return Ok(new_null_array(&DataType::Struct(Self::fields()), rows));
        }
        let by_row: BTreeMap<usize, &UnreadRow> =
            rejects.iter().map(|reject| (reject.row, reject)).collect();
        let text = |of: fn(&UnreadRow) -> &str| -> ArrayRef {
            let texts = (0..rows).map(|row| by_row.get(&row).map_or("", |reject| of(reject)));
            Arc::new(StringArray::from_iter_values(texts))
        };
        let columns = vec![
            text(|reject| &reject.rule),
            text(|reject| &reject.message),
            text(|reject| &reject.raw),
        ];
        let bad: NullBuffer = (0..rows).map(|row| by_row.contains_key(&row)).collect();
        Ok(Arc::new(StructArray::try_new(
            Self::fields(),
            columns,
            Some(bad),
        )?))
    }

    /// Reads that column.
    pub fn of(column: &ArrayRef) -> Result<Unread> {
        let found = column.as_struct_opt().cloned();
        found
            .map(Unread)
            .ok_or_else(|| Error::internal("what a scan rejects is no struct"))
    }

    fn get(&self, row: usize, dropped: bool) -> Option<Rejection<'_>> {
        if row >= self.0.len() || self.0.is_null(row) {
            return None;
        }
        let [rule, message, raw] = self.0.columns() else {
            return None;
        };
        Some(Rejection {
            stage: READ_STAGE,
            rule: rule.as_string_opt::<i32>()?.value(row),
            message: message.as_string_opt::<i32>()?.value(row),
            dropped,
            raw: Some(raw.as_string_opt::<i32>()?.value(row)),
        })
    }
}

fn warnings_of(values: &ArrayRef) -> Result<Vec<(u32, String)>> {
    let wrong = || Error::internal("a warning has other fields");
    let values = values.as_struct_opt().ok_or_else(wrong)?;
    let [stage, rule] = values.columns() else {
        return Err(wrong());
    };
    let stages = stage.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
    let rules = rule.as_string_opt::<i32>().ok_or_else(wrong)?;
    Ok((0..values.len())
        .map(|index| (stages.value(index), rules.value(index).to_owned()))
        .collect())
}

/// Several batches of one schema as one; none as an empty one.
pub fn concat(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    match batches {
        [one] => Ok(one.clone()),
        _ => Ok(concat_batches(schema, batches)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    fn batch(values: &[i64]) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values.to_vec()))]).unwrap()
    }

    fn wrapped(values: &[i64]) -> Envelope {
        let rows = values.len();
        Envelope::wrap(
            batch(values),
            new_null_array(&file_type(), rows),
            new_null_array(&DataType::UInt64, rows),
        )
    }

    fn finding(row: u32) -> Finding {
        Finding {
            row,
            rule: "r".into(),
            message: "m".into(),
        }
    }

    fn rejection(stage: u32, dropped: bool) -> Rejection<'static> {
        Rejection {
            stage,
            rule: "r",
            message: "m",
            dropped,
            raw: None,
        }
    }

    fn values(derived: &Derived) -> Vec<i64> {
        derived
            .rows
            .column(0)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values()
            .to_vec()
    }

    #[test]
    fn rejecting_a_row_withdraws_what_came_from_it_and_from_no_other() {
        let mut envelope = wrapped(&[10, 20, 30]);
        // Row 2 gives two rows, row 0 one, out of order; row 1 gives none.
        envelope
            .replace_output(0, vec![(batch(&[31, 11, 32]), Some(vec![2, 0, 2]))])
            .unwrap();
        assert_eq!(values(envelope.output(0).unwrap()), [11, 31, 32]);
        assert_eq!(envelope.output(0).unwrap().parents(), [0, 2, 2]);
        envelope
            .reject(1, false, &[finding(0), finding(0)])
            .unwrap();
        assert_eq!(values(envelope.output(0).unwrap()), [31, 32]);
        let rejections = envelope.rejections().unwrap();
        assert_eq!(rejections.get(0), Some(rejection(1, false)));
        assert_eq!(rejections.get(1), None);
    }

    #[test]
    fn the_first_rejection_of_a_row_stays() {
        let mut envelope = wrapped(&[1, 2]);
        envelope.reject(0, true, &[finding(1)]).unwrap();
        envelope
            .reject(3, false, &[finding(1), finding(0)])
            .unwrap();
        let rejections = envelope.rejections().unwrap();
        assert_eq!(rejections.get(1), Some(rejection(0, true)));
        assert_eq!(rejections.get(0), Some(rejection(3, false)));
    }

    #[test]
    fn an_envelope_survives_being_a_batch_even_a_sliced_one() {
        let mut envelope = wrapped(&[1, 2, 3, 4]);
        envelope.warn(2, &[finding(1), finding(3)]).unwrap();
        envelope.reject(0, false, &[finding(2)]).unwrap();
        let layout = EnvelopeLayout::new(
            batch(&[]).schema(),
            vec![("out".to_owned(), batch(&[]).schema())],
        );
        let whole = envelope.close(&layout).unwrap();
        let tail = Envelope::open(&layout, &whole.slice(1, 3)).unwrap();
        assert_eq!(values(tail.output(0).unwrap()), [2, 4]);
        assert_eq!(tail.output(0).unwrap().parents(), [0, 2]);
        let mut warned = BTreeMap::new();
        tail.count_warnings(&mut warned).unwrap();
        let counted = [((2, ANY_RULE.to_owned()), 2), ((2, "r".to_owned()), 2)];
        assert_eq!(warned, BTreeMap::from(counted));
        let rows = tail
            .input_rows(&layout, &UInt32Array::from(vec![1]))
            .unwrap();
        assert_eq!(rows.rows, batch(&[3]));
    }
}
