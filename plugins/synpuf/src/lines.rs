//! Carrier claims: a row for each line, where CMS has a row for each claim and thirteen columns for
//! each thing that can be said of a line.
//!
//! CMS fills the lines that a claim does not have with amounts of 0.00 and leaves their codes empty.
//! Such a line makes no row, wherever it stands; a claim without any line makes none.

use weir_plugin::arrow::array::{StringArray, UInt32Array};
use weir_plugin::arrow::compute::{interleave, take};

use super::*;
use columns::{CARRIER_CLAIM, CARRIER_LINE, LINES, numbered};

/// Where the columns of a claim and those of its lines are in the input.
pub(crate) struct Lines {
    /// What a claim says of itself, which each of its lines repeats.
    claim: Vec<(usize, Kind)>,
    /// What is said of a line, with the column of each line.
    line: Vec<([usize; LINES], Kind)>,
}

impl Lines {
    /// The columns, which are there, and the schema of the lines.
    pub(crate) fn of(context: &Context) -> Result<(Self, SchemaRef), Error> {
        let mut fields = Vec::new();
        let mut claim = Vec::new();
        for (name, kind) in numbered(CARRIER_CLAIM) {
            claim.push((context.input.index_of(&name)?, kind));
            fields.push(Field::new(name, kind.data_type(), true));
        }
        fields.push(Field::new("line_num", DataType::Int16, true));
        let mut line = Vec::new();
        for (name, kind) in CARRIER_LINE {
            let mut places = [0; LINES];
            for (number, place) in (1..).zip(&mut places) {
                *place = context.input.index_of(&format!("{name}_{number}"))?;
            }
            line.push((places, *kind));
            fields.push(Field::new(*name, kind.data_type(), true));
        }
        Ok((Self { claim, line }, Arc::new(Schema::new(fields))))
    }

    pub(crate) fn process(
        &self,
        rows: &RecordBatch,
        output: &SchemaRef,
        out: &mut Emitter<'_>,
    ) -> Result<(), Error> {
        let used = self.used(rows);
        // Each line as its place among the lines of its claim, and the row that the claim is.
        let mut lines: Vec<(usize, usize)> = Vec::new();
        for (row, used) in used.iter().enumerate() {
            lines.extend(
                (0..LINES)
                    .filter(|line| used & (1 << line) != 0)
                    .map(|line| (line, row)),
            );
        }
        let origin: Vec<u32> = lines.iter().map(|(_, row)| *row as u32).collect();
        let origins = UInt32Array::from(origin.clone());

        let mut columns = Vec::with_capacity(output.fields().len());
        let mut names = output.fields().iter().map(|field| field.name().as_str());
        for (place, kind) in &self.claim {
            let name = names.next().unwrap_or_default();
            let of_claims = typed(*kind, name, rows.column(*place), None, out)?;
            columns.push(take(&of_claims, &origins, None)?);
        }
        names.next();
        let numbers: Int16Array = lines.iter().map(|(line, _)| *line as i16 + 1).collect();
        columns.push(Arc::new(numbers));
        for ((places, kind), name) in self.line.iter().zip(names) {
            let by_line = places.map(|place| rows.column(place).as_ref());
            let texts = match lines.is_empty() {
                true => Arc::new(StringArray::new_null(0)),
                false => interleave(&by_line, &lines)?,
            };
            columns.push(typed(*kind, name, &texts, Some(&origin), out)?);
        }
        out.emit_from(0, &RecordBatch::try_new(output.clone(), columns)?, &origin);
        Ok(())
    }

    /// For each row a bit for each line that says anything.
    fn used(&self, rows: &RecordBatch) -> Vec<u16> {
        let mut used = vec![0_u16; rows.num_rows()];
        for (places, kind) in &self.line {
            for (line, place) in places.iter().enumerate() {
                let texts = rows.column(*place).as_string::<i32>();
                if texts.null_count() == texts.len() {
                    continue;
                }
                let says: fn(&str) -> bool = match kind {
                    Kind::Amount => {
                        |text| text.bytes().any(|byte| !matches!(byte, b'0' | b'.' | b' '))
                    }
                    _ => |text| text.bytes().any(|byte| byte != b' '),
                };
                for (used, text) in used.iter_mut().zip(texts) {
                    *used |= u16::from(text.is_some_and(says)) << line;
                }
            }
        }
        used
    }
}

/// The rows that these lines are of, each once.
pub(crate) fn rows_of(lines: &[u32], origin: &[u32]) -> Vec<u32> {
    let rows = lines.iter().filter_map(|line| origin.get(*line as usize));
    let mut rows: Vec<u32> = rows.copied().collect();
    rows.dedup();
    rows
}
