//! JSON: one object a line, or an array of objects.

mod decimals;
mod decoders;
mod frame;
mod scan;
mod tolerant;
mod undeclared;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use bytes::{Buf, Bytes};
use weir_pipeline::{Column, Encoding, Undeclared};

use crate::Decode;
use crate::fault::{DecodeError, Fault};
use crate::latin1;
use crate::record::{Decoded, LONGEST_RECORD, RecordOptions};
use crate::types::arrow_schema;
use decoders::Decoders;
use scan::{Bad, DEEPEST, Scan};
use tolerant::Watch;

const NO_FIT: &str = "a value does not fit the type that is declared for it";

/// A column of the file, and what a declared column makes of it.
type MadeOf = (usize, String, bool);

/// Decodes one file of JSON objects. Fields that are not declared are passed over.
pub struct Json {
    decoders: Decoders,
    array: bool,
    scan: Scan,
    batch_rows: usize,
    rest: Bytes,
    /// What is wrong right after `rest`.
    bad: Option<Bad>,
    ended: bool,
    done: bool,
    /// Rows in the batches given so far.
    rows: u64,
    encoding: Encoding,
    /// For each declared column the one of the file that it is made of, its name, and whether it may be null;
    /// absent where these are the same columns.
    made_of: Option<Vec<MadeOf>>,
    /// Takes the place of `scan` and of what arrow finds, where a bad record does not simply end the
    /// file.
    watch: Option<Watch>,
}

impl Json {
    /// A decoder of a file with `columns`, whose batches have at most `batch_rows` rows. With
    /// `array`, the brackets and commas of an outermost array are passed over.
    ///
    /// # Errors
    /// A column's type is none that JSON values can be turned into.
    pub fn new(array: bool, columns: &[Column], batch_rows: usize) -> Result<Json, DecodeError> {
        let batch_rows = batch_rows.max(1);
        let (in_file, made_of) = in_file(columns)?;
        let is_as_declared =
            in_file.len() == columns.len() && columns.iter().all(|column| column.source.is_none());
        Ok(Json {
            made_of: (!is_as_declared).then_some(made_of),
            decoders: Decoders::new(arrow_schema(&in_file), batch_rows)?,
            array,
            scan: match array {
                true => Scan::of_array(),
                false => Scan::of_lines(),
            },
            batch_rows,
            rest: Bytes::new(),
            bad: None,
            ended: false,
            done: false,
            rows: 0,
            encoding: Encoding::Utf8,
            watch: None,
        })
    }

    /// The decoder, reading records as `options` say. Looked at one by one, an object has to be on one
    /// line where there is no array to hold it.
    ///
    /// # Errors
    /// As [`Json::new`].
    pub fn with_records(mut self, options: RecordOptions) -> Result<Json, DecodeError> {
        self.encoding = options.encoding;
        let judged = match options.undeclared {
            Undeclared::Discard => None,
            Undeclared::Freeze | Undeclared::Quarantine => Some(LONGEST_RECORD),
        };
        self.watch = match options.one_by_one().or(judged) {
            None => None,
            Some(longest) => Some(Watch::new(
                self.array,
                self.decoders.schema(),
                self.batch_rows,
                options,
                longest,
            )?),
        };
        Ok(self)
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, Fault> {
        if !self.rest.is_empty() {
            let used = self.decoders.decode(&self.rest);
            let used = used.map_err(|error| self.fault(told(&error)))?;
            self.rest.advance(used.min(self.rest.len()));
        }
        // A full batch is given before anything else is looked at, so that it does not matter where
        // the bytes were split. The decoder stops of itself there.
        if self.decoders.hold(self.batch_rows) || !self.rest.is_empty() {
            return self.flush();
        }
        match self.bad {
            Some(Bad::Array) => {
                return Err(Fault::new(
                    self.place(),
                    "the array's objects are not set apart by commas, or something stands beside them",
                )
                .hint_at("mend the file: it is no JSON array of objects"));
            }
            Some(Bad::Deep) => {
                return Err(Fault::new(self.place(), too_deep())
                    .hint_at("mend the file, or flatten it before Weir reads it"));
            }
            None if !self.ended => return Ok(None),
            None => {}
        }
        if self.scan.is_open() {
            return Err(
                Fault::new(self.place(), "the file ends in the middle of an array")
                    .hint_at("mend the file: it is truncated, fetch it again"),
            );
        }
        let last = self.flush()?;
        self.done = true;
        Ok(last)
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, Fault> {
        let batch = self.decoders.flush().map_err(|what| self.fault(what))?;
        self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    /// The rows with the columns that are declared, each of what the file has under its name there.
    fn declared(&self, decoded: Decoded) -> Result<Decoded, DecodeError> {
        let Some(made_of) = &self.made_of else {
            return Ok(decoded);
        };
        let there = decoded.batch.schema();
        let mut fields = Vec::with_capacity(made_of.len());
        let mut columns = Vec::with_capacity(made_of.len());
        for (index, name, nullable) in made_of {
            let field = there.fields().get(*index);
            let Some((field, column)) = field.zip(decoded.batch.columns().get(*index)) else {
                continue;
            };
            // A tolerant read has nulls everywhere.
            let nullable = field.is_nullable() || *nullable;
            fields.push(Field::new(name, field.data_type().clone(), nullable));
            columns.push(Arc::clone(column));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Decoded { batch, ..decoded })
    }

    fn place(&self) -> String {
        format!("after row {}", self.rows)
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::new(self.place(), what)
            .hint_at("mend the file, or the `schema` of the step's `read`")
    }
}

/// The columns that the file has, by its own names, and what is made of them: several columns may be read from
/// one.
fn in_file(columns: &[Column]) -> Result<(Vec<Column>, Vec<MadeOf>), Fault> {
    let mut in_file: Vec<Column> = Vec::with_capacity(columns.len());
    let mut made_of = Vec::with_capacity(columns.len());
    for column in columns {
        let name = column.source.as_ref().unwrap_or(&column.name);
        let index = match in_file.iter().position(|there| there.name == *name) {
            None => {
                in_file.push(Column {
                    name: name.clone(),
                    ..column.clone()
                });
                in_file.len() - 1
            }
            Some(index) => {
                if let Some(there) = in_file.get_mut(index) {
                    if there.data_type != column.data_type {
                        return Err(Fault::placed(format!(
                            "two columns of different types are read from '{name}'"
                        ))
                        .hint_at("declare one of them, and make the other in a query"));
                    }
                    there.nullable &= column.nullable;
                }
                index
            }
        };
        made_of.push((index, column.name.clone(), column.nullable));
    }
    Ok((in_file, made_of))
}

fn too_deep() -> String {
    format!("objects and arrays nest deeper than {DEEPEST} levels")
}

/// arrow's messages quote the value that did not fit, which must not reach a log: only how they
/// begin is looked at.
fn told(error: &ArrowError) -> &'static str {
    const NO_VALUE: &str = "a column that is declared `not null` has no value";
    let ArrowError::JsonError(text) = error else {
        return match error {
            ArrowError::InvalidArgumentError(text) if text.contains("non-nullable") => NO_VALUE,
            _ => NO_FIT,
        };
    };
    let begins = |parts: &[&str]| parts.iter().any(|part| text.starts_with(part));
    if begins(&["Truncated record"]) {
        "the file ends in the middle of a document"
    } else if begins(&["Encountered non-UTF-8", "Encountered truncated UTF-8"]) {
        "the text is not UTF-8"
    } else if begins(&["Encountered unmasked nulls in non-nullable"]) {
        NO_VALUE
    } else if begins(&["expected", "Encountered unexpected"]) {
        "the text is not JSON, or a value does not fit the type that is declared for it"
    } else {
        NO_FIT
    }
}

impl Decode for Json {
    fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.rest.is_empty() && !self.ended);
        let bytes = match self.encoding {
            Encoding::Utf8 => bytes,
            Encoding::Latin1 => latin1::to_utf8(bytes),
        };
        if let Some(watch) = &mut self.watch {
            watch.push(bytes);
        } else if self.bad.is_none() {
            (self.rest, self.bad) = self.scan.pass(bytes);
        }
    }

    fn finish(&mut self) {
        self.ended = true;
    }

    fn batch(&mut self) -> Result<Option<Decoded>, DecodeError> {
        if self.done {
            return Ok(None);
        }
        let batch = match &mut self.watch {
            Some(watch) => watch.batch(self.ended),
            None => self.advance().map_err(DecodeError::from).map(|batch| {
                let rejects = Vec::new();
                batch.map(|batch| Decoded { batch, rejects })
            }),
        };
        let batch = batch.and_then(|batch| batch.map(|batch| self.declared(batch)).transpose());
        self.done |= batch.is_err();
        batch
    }
}

#[cfg(test)]
mod tests {
    use weir_pipeline::DataType;

    use super::*;

    fn column(data_type: DataType, nullable: bool) -> [Column; 1] {
        [Column {
            name: "a".into(),
            source: None,
            data_type,
            nullable,
            sensitivity: Vec::new(),
        }]
    }

    /// The rows of each batch of `text` given in chunks of `size` bytes, or the fault.
    fn decode(
        array: bool,
        columns: &[Column],
        text: &[u8],
        size: usize,
    ) -> Result<Vec<RecordBatch>, String> {
        let mut json = Json::new(array, columns, 2).unwrap();
        let mut out = Vec::new();
        let mut chunks = text.chunks(size);
        loop {
            while let Some(decoded) = json.batch().map_err(|error| error.to_string())? {
                out.push(decoded.batch);
            }
            match chunks.next() {
                Some(chunk) => json.push(Bytes::copy_from_slice(chunk)),
                None if json.ended => return Ok(out),
                None => json.finish(),
            }
        }
    }

    #[track_caller]
    fn everywhere(
        array: bool,
        columns: &[Column],
        text: &[u8],
    ) -> Result<Vec<RecordBatch>, String> {
        let whole = decode(array, columns, text, text.len().max(1));
        for size in 1..=text.len().min(24) {
            let split = decode(array, columns, text, size);
            assert_eq!(split, whole, "in chunks of {size}");
        }
        whole
    }

    #[test]
    fn objects_become_rows_wherever_they_are_split() {
        let columns = column(DataType::Int64, true);
        for (array, text) in [
            (false, r#"{"a":1} {"a":2,"b":[{"c":"}"}]}{"a":3}"#),
            (true, r#"{"a":1} {"a":2,"b":[{"c":"}"}]}{"a":3}"#),
            (true, r#"[{"a":1}, {"a":2,"b":[{"c":"}"}]} ,{"a":3}]"#),
        ] {
            let batches = everywhere(array, &columns, text.as_bytes()).unwrap();
            let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
            assert_eq!(rows, [2, 1], "{text}");
        }
    }

    #[test]
    fn columns_are_found_under_their_names_in_the_file() {
        let mut columns = column(DataType::Int64, true);
        columns[0].source = Some("A b".into());
        for tolerant in [false, true] {
            let options = RecordOptions {
                tolerant,
                ..RecordOptions::default()
            };
            let mut json = Json::new(false, &columns, 10)
                .and_then(|json| json.with_records(options))
                .unwrap();
            json.push("{\"A b\":1}\n{\"a\":2}\n".into());
            json.finish();
            let batch = json.batch().unwrap().unwrap().batch;
            assert_eq!(batch.schema().field(0).name(), "a");
            assert_eq!(batch.column(0).null_count(), 1, "only the first has one");
        }
    }

    #[test]
    fn several_columns_may_be_read_from_one() {
        let mut columns = column(DataType::Int64, true).to_vec();
        columns[0].source = Some("c".into());
        columns.push(Column {
            name: "b".into(),
            nullable: false,
            ..columns[0].clone()
        });
        let mut json = Json::new(false, &columns, 10).unwrap();
        json.push("{\"c\":1}\n{\"c\":2}\n".into());
        json.finish();
        let batch = json.batch().unwrap().unwrap().batch;
        assert_eq!(batch.schema(), arrow_schema(&columns));
        assert_eq!(batch.column(0), batch.column(1));
        columns[1].data_type = DataType::String;
        let why = Json::new(false, &columns, 10).err().unwrap().to_string();
        assert_eq!(why, "two columns of different types are read from 'c'");
    }

    #[test]
    fn faults_say_where_and_never_quote() {
        let nested = format!("{{\"a\":{}", "[".repeat(100_000));
        let number = DataType::Int64;
        let list = DataType::List(Box::new(DataType::String));
        for (array, nullable, data_type, text, why) in [
            (
                true,
                true,
                &number,
                r#"[{"a":1},{"a":2},{"a":3}{"a":4}]"#,
                "after row 2: the array's objects",
            ),
            (
                true,
                true,
                &number,
                r#"[{"a":1},{"a":2},"#,
                "after row 2: the file ends in the middle of an array",
            ),
            (
                true,
                true,
                &number,
                r#"[{"a":1}"#,
                "after row 0: the file ends in the middle of an array",
            ),
            (
                false,
                true,
                &number,
                r#"{"a":1} {"a":"#,
                "after row 0: the file ends in the middle of a document",
            ),
            (
                false,
                true,
                &number,
                r#"{"a":"UTF-8 truncated"}"#,
                "after row 0: a value does not fit",
            ),
            (
                false,
                false,
                &number,
                r#"{"a":1} {}"#,
                "after row 0: a column that is declared `not null`",
            ),
            (
                false,
                true,
                &number,
                "{\"a\":1,\"b\":\"\u{1}",
                "after row 0: the file ends in the middle of a document",
            ),
            (
                false,
                true,
                &number,
                "{a:1}",
                "after row 0: the text is not JSON",
            ),
            (
                false,
                true,
                &number,
                nested.as_str(),
                "after row 0: objects and arrays nest deeper than 128 levels",
            ),
            (
                false,
                true,
                &list,
                nested.as_str(),
                "after row 0: objects and arrays nest deeper than 128 levels",
            ),
        ] {
            let columns = column(data_type.clone(), nullable);
            let fault = everywhere(array, &columns, text.as_bytes()).unwrap_err();
            assert!(fault.starts_with(why), "{text:.80}: {fault}");
        }
        let split = everywhere(
            false,
            &column(DataType::String, true),
            b"{\"a\":\"\xC3\"}{\"a\":\"\xA9\"}",
        );
        assert_eq!(split.unwrap_err(), "after row 0: the text is not UTF-8");
    }

    #[test]
    fn decimals_are_exact_wherever_they_are() {
        let decimal = DataType::Decimal(6, 2);
        let columns = [
            column(decimal.clone(), true)[0].clone(),
            Column {
                name: "b".into(),
                source: None,
                data_type: DataType::Struct(vec![
                    ("c".into(), DataType::List(Box::new(decimal))),
                    ("d".into(), DataType::String),
                ]),
                nullable: true,
                sensitivity: Vec::new(),
            },
            Column {
                name: "e".into(),
                source: None,
                data_type: DataType::Int64,
                nullable: true,
                sensitivity: Vec::new(),
            },
        ];
        let text = r#"{"a":1.50,"b":{"c":[1e3,"-0.25",null],"d":"x"},"e":7} {"b":null} {"a":"12"}"#;
        let batches = everywhere(false, &columns, text.as_bytes()).unwrap();
        let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap();
        let shown: Vec<String> = shown.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            shown,
            [
                "+-------+-------------------------------+---+",
                "| a     | b                             | e |",
                "+-------+-------------------------------+---+",
                "| 1.50  | {c: [1000.00, -0.25, ], d: x} | 7 |",
                "|       |                               |   |",
                "| 12.00 |                               |   |",
                "+-------+-------------------------------+---+",
            ]
            .map(str::to_owned)
        );
        for wrong in [
            "1.505",
            "12345",
            "true",
            "1e-3",
            "18464744073e0055161073705",
            "\"x\"",
        ] {
            for text in [
                format!(r#"{{"a":{wrong}}}"#),
                format!(r#"{{"b":{{"c":[{wrong}]}}}}"#),
            ] {
                let fault = everywhere(false, &columns, text.as_bytes()).unwrap_err();
                assert!(
                    fault.starts_with("after row 0: a value does not fit"),
                    "{fault}"
                );
            }
        }
    }
}
