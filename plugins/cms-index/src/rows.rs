//! The records of a file, as rows of text.

use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use weir_plugin::arrow::array::StringBuilder;
use weir_plugin::prelude::*;

use crate::unzip::Bytes;
use crate::{BAD_RECORD, Config};

/// Rows of a batch.
const ROWS: usize = 8192;
/// Most bytes of a record that quarantine shows.
const SHOWN: usize = 1000;

/// The records of a file behind those that were taken.
pub(crate) struct Rows {
    reader: Reader<Bytes>,
    record: ByteRecord,
    /// Where in a record each column is.
    places: Vec<usize>,
    /// How many fields a record has.
    width: usize,
    file: String,
    has_file_column: bool,
    schema: SchemaRef,
}

impl Rows {
    /// Reads the header.
    pub(crate) fn open(
        bytes: Bytes,
        file: &str,
        config: &Config,
        schema: &SchemaRef,
    ) -> Result<Rows, Error> {
        let delimiter = u8::try_from(config.delimiter).unwrap_or(b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bytes);
        let header = reader
            .byte_headers()
            .map_err(|error| failed(error, file))?
            .clone();
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        let columns = config.columns.named()?;
        let mut missing = Vec::new();
        let mut places = Vec::with_capacity(columns.len());
        for (_, wanted) in &columns {
            let exact = names.iter().position(|name| name == wanted);
            let found = exact.or_else(|| {
                names
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(wanted))
            });
            match found {
                Some(place) => places.push(place),
                None => missing.push(wanted.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(Error::data(format!(
                "the header of '{file}' lacks {}; it has {}",
                missing.join(", "),
                names.join(", ")
            )));
        }
        Ok(Rows {
            reader,
            record: ByteRecord::new(),
            places,
            width: names.len(),
            file: file.to_owned(),
            has_file_column: config.file_column.is_some(),
            schema: schema.clone(),
        })
    }

    /// Passes over records that an earlier run had.
    pub(crate) fn skip(&mut self, records: u64) -> Result<(), Error> {
        for _ in 0..records {
            if !self.next()? {
                return Err(Error::data(format!(
                    "'{}' has fewer records than an earlier run read of it: it has changed",
                    self.file
                )));
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<bool, Error> {
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(|error| failed(error, &self.file))
    }

    /// Emits the rows of up to `most` records; gives how many records there were.
    pub(crate) fn take(&mut self, most: usize, out: &mut Page<'_>) -> Result<usize, Error> {
        let mut taken = 0;
        while taken < most {
            let mut columns: Vec<StringBuilder> =
                self.places.iter().map(|_| StringBuilder::new()).collect();
            let mut rows = 0;
            let most = ROWS.min(most - taken);
            let mut ended = false;
            for _ in 0..most {
                if !self.next()? {
                    ended = true;
                    break;
                }
                taken += 1;
                match self.texts() {
                    None => {
                        let text = self.record.iter().collect::<Vec<_>>().join(&b',');
                        let text = text.get(..SHOWN).unwrap_or(&text);
                        let why = format!(
                            "record {} of '{}' has {} fields or bytes that are no UTF-8; the header has {} fields",
                            self.record.position().map_or(0, csv::Position::record),
                            self.file,
                            self.record.len(),
                            self.width
                        );
                        out.reject(&String::from_utf8_lossy(text), &BAD_RECORD, &why);
                    }
                    Some(texts) => {
                        rows += 1;
                        for (column, text) in columns.iter_mut().zip(texts) {
                            column.append_option((!text.is_empty()).then_some(text));
                        }
                    }
                }
            }
            if rows > 0 {
                let mut arrays: Vec<ArrayRef> = columns
                    .iter_mut()
                    .map(|column| Arc::new(column.finish()) as ArrayRef)
                    .collect();
                if self.has_file_column {
                    let names = std::iter::repeat_n(Some(self.file.as_str()), rows);
                    let names: weir_plugin::arrow::array::StringArray = names.collect();
                    arrays.push(Arc::new(names));
                }
                out.emit(&RecordBatch::try_new(self.schema.clone(), arrays)?);
            }
            if ended {
                break;
            }
        }
        Ok(taken)
    }

    /// The columns' texts in the record; none if it does not fit the header.
    fn texts(&self) -> Option<Vec<&str>> {
        if self.record.len() != self.width {
            return None;
        }
        let texts = self.places.iter().map(|place| {
            let bytes = self.record.get(*place)?;
            std::str::from_utf8(bytes).ok()
        });
        texts.collect()
    }
}

fn failed(error: csv::Error, file: &str) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => crate::told(error, file),
        _ => Error::data(format!("'{file}' is no CSV")),
    }
}
