//! Columns of a stream, filled record by record.

use std::sync::Arc;

use serde_json::Value;
use weir_plugin::arrow::array::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use weir_plugin::arrow::datatypes::TimeUnit;
use weir_plugin::prelude::*;

use crate::config::{Cursor, Kind, StreamConfig, TypedColumn, at};
use crate::{BAD_VALUE, MISSING_VALUE};

/// Rows of a batch.
const ROWS: usize = 8192;

/// The columns, with the rows since the last batch.
pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<(String, TypedColumn, Cells)>,
    rows: usize,
    /// Batches that were filled before the page ended.
    full: Vec<RecordBatch>,
    /// The cells of the record taken last.
    last: Vec<Option<Cell>>,
}

enum Cells {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Date(Date32Builder),
    Moment(TimestampMicrosecondBuilder),
}

/// A value of a record, as its column takes it.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Date(i32),
    Moment(i64),
}

/// Why a record gives no row.
pub(crate) type Fault = (&'static Rule, String);

impl Columns {
    /// The columns of a stream.
    pub(crate) fn of(name: &str, stream: &StreamConfig) -> Result<Columns, Error> {
        if stream.columns.is_empty() {
            return Err(Error::config(format!(
                "stream '{name}' has no columns: name each with its path"
            )));
        }
        let cursor = stream.cursor.iter().map(|cursor| &cursor.column);
        for column in stream.key.iter().chain(cursor) {
            if !stream.columns.contains_key(column) {
                return Err(Error::config(format!(
                    "stream '{name}' has no column '{column}', which its key or cursor names"
                )));
            }
        }
        let columns: Vec<(String, TypedColumn, Cells)> = stream
            .columns
            .iter()
            .map(|(name, column)| {
                let typed = column.typed();
                let cells = Cells::of(typed.kind);
                (name.clone(), typed, cells)
            })
            .collect();
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column, _)| Field::new(name, data_type(column.kind), !column.required))
            .collect();
        Ok(Columns {
            schema: Arc::new(Schema::new(fields)),
            columns,
            rows: 0,
            full: Vec::new(),
            last: Vec::new(),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes a record whole, or not at all.
    pub(crate) fn push(&mut self, record: &Value) -> Result<(), Fault> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for (name, column, _) in &self.columns {
            let cell = match at(record, &column.path) {
                None | Some(Value::Null) if column.required => {
                    return Err((&MISSING_VALUE, format!("'{name}' has no value")));
                }
                None | Some(Value::Null) => None,
                Some(value) => match Cell::of(value, column.kind) {
                    Some(cell) => Some(cell),
                    None => {
                        let kind = format!("{:?}", column.kind).to_lowercase();
                        return Err((&BAD_VALUE, format!("'{name}' is no {kind}")));
                    }
                },
            };
            cells.push(cell);
        }
        for ((_, _, column), cell) in self.columns.iter_mut().zip(&cells) {
            column.push(cell.as_ref());
        }
        self.last = cells;
        self.rows += 1;
        if self.rows == ROWS
            && let Ok(batch) = self.batch()
        {
            self.full.push(batch);
        }
        Ok(())
    }

    /// The value that the record taken last has in a column, as text that a parameter takes.
    pub(crate) fn last_text(&self, column: &str) -> Option<String> {
        let (index, _) = self.schema.column_with_name(column)?;
        self.last.get(index)?.as_ref().map(Cell::text)
    }

    fn kind(&self, column: &str) -> Option<Kind> {
        let (index, _) = self.schema.column_with_name(column)?;
        self.columns.get(index).map(|(_, column, _)| column.kind)
    }

    /// Emits what was taken.
    pub(crate) fn flush(&mut self, out: &mut Page<'_>) -> Result<(), Error> {
        for batch in std::mem::take(&mut self.full) {
            out.emit(&batch);
        }
        if self.rows > 0 {
            out.emit(&self.batch()?);
        }
        Ok(())
    }

    fn batch(&mut self) -> Result<RecordBatch, Error> {
        self.rows = 0;
        let columns = self.columns.iter_mut().map(|(_, _, cells)| cells.finish());
        let columns = columns.collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Cells {
    fn of(kind: Kind) -> Cells {
        match kind {
            Kind::String | Kind::Json => Cells::Text(StringBuilder::new()),
            Kind::Int64 => Cells::Int(Int64Builder::new()),
            Kind::Float64 => Cells::Float(Float64Builder::new()),
            Kind::Bool => Cells::Bool(BooleanBuilder::new()),
            Kind::Date => Cells::Date(Date32Builder::new()),
            Kind::Timestamp => {
                Cells::Moment(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
        }
    }

    /// The cell is of the column's type, or null.
    fn push(&mut self, cell: Option<&Cell>) {
        match (self, cell) {
            (Cells::Text(column), Some(Cell::Text(text))) => column.append_value(text),
            (Cells::Text(column), _) => column.append_null(),
            (Cells::Int(column), Some(Cell::Int(number))) => column.append_value(*number),
            (Cells::Int(column), _) => column.append_null(),
            (Cells::Float(column), Some(Cell::Float(number))) => column.append_value(*number),
            (Cells::Float(column), _) => column.append_null(),
            (Cells::Bool(column), Some(Cell::Bool(flag))) => column.append_value(*flag),
            (Cells::Bool(column), _) => column.append_null(),
            (Cells::Date(column), Some(Cell::Date(day))) => column.append_value(*day),
            (Cells::Date(column), _) => column.append_null(),
            (Cells::Moment(column), Some(Cell::Moment(moment))) => column.append_value(*moment),
            (Cells::Moment(column), _) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Cells::Text(column) => Arc::new(column.finish()),
            Cells::Int(column) => Arc::new(column.finish()),
            Cells::Float(column) => Arc::new(column.finish()),
            Cells::Bool(column) => Arc::new(column.finish()),
            Cells::Date(column) => Arc::new(column.finish()),
            Cells::Moment(column) => Arc::new(column.finish()),
        }
    }
}

impl Cell {
    fn of(value: &Value, kind: Kind) -> Option<Cell> {
        Some(match (kind, value) {
            (Kind::Json, value) => Cell::Text(value.to_string()),
            (Kind::String, Value::String(text)) => Cell::Text(text.clone()),
            (Kind::String, Value::Number(number)) => Cell::Text(number.to_string()),
            (Kind::String, Value::Bool(flag)) => Cell::Text(flag.to_string()),
            (Kind::Int64, Value::Number(number)) => Cell::Int(number.as_i64()?),
            (Kind::Int64, Value::String(text)) => Cell::Int(text.parse().ok()?),
            (Kind::Float64, Value::Number(number)) => Cell::Float(number.as_f64()?),
            (Kind::Float64, Value::String(text)) => Cell::Float(
                text.parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())?,
            ),
            (Kind::Bool, Value::Bool(flag)) => Cell::Bool(*flag),
            (Kind::Date, Value::String(text)) => Cell::Date(date(text)?),
            (Kind::Timestamp, Value::String(text)) => Cell::Moment(moment(text)?),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Int(number) => number.to_string(),
            Cell::Float(number) => number.to_string(),
            Cell::Bool(flag) => flag.to_string(),
            Cell::Date(days) => date_text(*days),
            Cell::Moment(micros) => moment_text(*micros),
        }
    }
}

/// The higher of two values of the cursor. All but whole numbers are written so that their texts sort as they do.
pub(crate) fn higher(
    one: Option<String>,
    other: Option<String>,
    columns: &Columns,
    cursor: &Cursor,
) -> Option<String> {
    let (Some(a), Some(b)) = (&one, &other) else {
        return one.or(other);
    };
    let greater = match columns.kind(&cursor.column) {
        Some(Kind::Int64) => a.parse::<i64>().ok() >= b.parse::<i64>().ok(),
        Some(Kind::Float64) => a.parse::<f64>().ok() >= b.parse::<f64>().ok(),
        _ => a >= b,
    };
    if greater { one } else { other }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::String | Kind::Json => DataType::Utf8,
        Kind::Int64 => DataType::Int64,
        Kind::Float64 => DataType::Float64,
        Kind::Bool => DataType::Boolean,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

const DAY: i64 = 86_400_000_000;

/// `2024-01-31` as days since 1970-01-01.
fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let mut part = |digits: usize| -> Option<i64> {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=days).contains(&day) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn date_text(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-01-31T08:30:00.25+02:00` (RFC 3339) as microseconds since 1970-01-01 in UTC.
fn moment(text: &str) -> Option<i64> {
    let (day, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.rfind(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let two = |text: Option<&str>, most: i64| -> Option<i64> {
        let text = text.filter(|text| text.len() == 2)?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = is_number.then(|| text.parse().ok())??;
        (number <= most).then_some(number)
    };
    let mut parts = time.split(':');
    let (hour, minute) = (two(parts.next(), 23)?, two(parts.next(), 59)?);
    let second = two(parts.next(), 59)?;
    let mut micros = 0;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    for digit in digits {
        micros = micros * 10 + i64::from(digit - b'0');
    }
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let (sign, zone) = zone.split_at(1);
            let (hours, minutes) = zone.split_once(':')?;
            let minutes = two(Some(hours), 23)? * 60 + two(Some(minutes), 59)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let minutes = hour * 60 + minute - offset;
    Some(i64::from(date(day)?) * DAY + (minutes * 60 + second) * 1_000_000 + micros)
}

fn moment_text(micros: i64) -> String {
    let days = micros.div_euclid(DAY);
    let of_day = micros.rem_euclid(DAY);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_moments_are_read_and_written() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-02-29"), Some(11_016));
        for bad in [
            "1900-02-29",
            "2024-13-01",
            "2024-1-01",
            "0000-01-01",
            "2024-01-01x",
            "",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for days in [-719_162, -1, 0, 11_016, 19_723, 2_932_896] {
            assert_eq!(date(&date_text(days)), Some(days));
        }
        assert_eq!(moment("1970-01-01T00:00:01Z"), Some(1_000_000));
        assert_eq!(moment("1970-01-01T02:00:00.5+02:00"), Some(500_000));
        assert_eq!(moment("1969-12-31T23:59:59.999999Z"), Some(-1));
        for bad in [
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.xZ",
            "1970-01-01T00:00:00:00Z",
            "1970-01-01T00:00:00+2",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
        for micros in [-1, 0, 1_706_690_000_123_456] {
            assert_eq!(moment(&moment_text(micros)), Some(micros));
        }
    }
}
