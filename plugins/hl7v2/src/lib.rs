//! Decodes files of HL7 v2 messages: one row for each segment, or columns of one kind of segment.
//!
//! Segments end with CR, LF or CRLF. Messages stand one after the other, in batches (FHS, BHS,
//! BTS, FTS) or not, framed by MLLP's bytes 0x0B and 0x1C or not. Which characters separate fields
//! and their parts each MSH says for its message; [`Separators`] reads that.

mod separators;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use decoder_paths::{
    Columns, Piece, Position, Repetition, Row, Stray, Table, Unread, all, list_of_text, max_bytes,
    nth,
};
use weir_plugin::prelude::*;

use separators::Separators;

/// The most bytes of a segment, unless the configuration says otherwise.
const MAX_BYTES: usize = 1 << 20;
/// The most bytes of a message's type and of its control id, which stand in each of its rows.
const MAX_ID: usize = 200;
/// MLLP's bytes before and after a message.
const BLOCK_BEGINS: u8 = 0x0b;
const BLOCK_ENDS: u8 = 0x1c;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const A_PATH: &str = "a field, and if wanted its repetition, component and subcomponent, all from 1: \"5\", \"5.1\", \"11[2].5\", \"3.4.2\", or \"10[*].1\" for a list of all repetitions";

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The segment that gives rows, such as `PID`. All do if it is left out.
    segment: Option<String>,
    /// Columns of that segment in place of `type`, `name` and `fields`: a path for each name, such
    /// as `{ mrn = "3.1", races = "10[*].1" }`.
    columns: Option<Columns>,
    /// The most bytes of a segment; 1 MiB if it is left out.
    max_bytes: Option<u64>,
}

const NO_HEADER: Rule = Rule {
    name: "no_header",
    description: "Segments belong to a message, which begins with MSH.",
};
const BAD_HEADER: Rule = Rule {
    name: "bad_header",
    description: "MSH, BHS and FHS name their separators, which differ from one another, and MSH has a type and a control id of at most 200 bytes each.",
};
const BAD_SEGMENT: Rule = Rule {
    name: "bad_segment",
    description: "A segment begins with three letters or digits and the message's field separator.",
};
const NOT_UTF8: Rule = Rule {
    name: "not_utf8",
    description: "A segment is UTF-8 text.",
};
const TOO_LONG: Rule = Rule {
    name: "too_long",
    description: "A segment has at most as many bytes as `max_bytes` allows.",
};

/// The decoder: what is not read yet, and where in the file it is.
struct Hl7 {
    max: usize,
    unread: Unread,
    reader: Reader,
}

/// What becomes of segments.
struct Reader {
    segment: Option<String>,
    columns: Option<Vec<Position>>,
    table: Table,
    /// Messages that have begun.
    messages: i64,
    /// The message that is read.
    message: Option<Message>,
    /// Those of the last header.
    separators: Option<Separators>,
    /// What stands outside of messages.
    stray: Stray,
}

struct Message {
    kind: Option<String>,
    control_id: Option<String>,
    /// Segments that have come, those that are rejected too.
    segments: i32,
}

impl Decoder for Hl7 {
    type Config = Config;

    const INFO: Info = Info {
        name: "hl7v2",
        version: env!("CARGO_PKG_VERSION"),
        description: "Decodes HL7 v2 messages into rows of their segments.",
        columns: &[],
        rules: &[NO_HEADER, BAD_HEADER, BAD_SEGMENT, NOT_UTF8, TOO_LONG],
    };

    fn bind(config: Config, _: &Context) -> Result<(Self, SchemaRef), Error> {
        if let Some(segment) = &config.segment
            && !(segment.len() == 3 && is_name(segment.as_bytes()))
        {
            return Err(Error::config(
                "`segment` is no name of a segment\nhint: write its three characters, such as segment = \"PID\"",
            ));
        }
        let mut fields = vec![
            Field::new("message", DataType::Int64, true),
            Field::new("control_id", DataType::Utf8, true),
        ];
        let columns = match config.columns {
            None => {
                fields.extend([
                    Field::new("type", DataType::Utf8, true),
                    Field::new("segment", DataType::Int32, true),
                    Field::new("name", DataType::Utf8, false),
                    Field::new("fields", list_of_text(), false),
                ]);
                None
            }
            Some(_) if config.segment.is_none() => {
                return Err(Error::config(
                    "`columns` are those of one segment\nhint: say which, such as segment = \"PID\"",
                ));
            }
            Some(columns) => {
                fields.push(Field::new("segment", DataType::Int32, true));
                let fixed = ["message", "control_id", "segment"];
                let parse = |path: &str| Position::parse(path, '.', 2);
                let columns = columns.parse(&fixed, A_PATH, parse)?;
                fields.extend(columns.iter().map(|(name, position)| {
                    let data_type = match position.repetition {
                        Repetition::Only(_) => DataType::Utf8,
                        Repetition::All => list_of_text(),
                    };
                    Field::new(name, data_type, true)
                }));
                Some(columns.into_iter().map(|(_, position)| position).collect())
            }
        };
        let schema = Arc::new(Schema::new(fields));
        let decoder = Self {
            max: max_bytes(config.max_bytes, MAX_BYTES)?,
            unread: Unread::default(),
            reader: Reader {
                segment: config.segment,
                columns,
                table: Table::new(schema.clone())?,
                messages: 0,
                message: None,
                separators: None,
                stray: Stray::default(),
            },
        };
        Ok((decoder, schema))
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        self.unread.push(bytes);
        let end = |bytes: &[u8]| {
            let end = memchr::memchr3(b'\r', b'\n', BLOCK_ENDS, bytes)?;
            Some(end..end + 1)
        };
        while let Some(piece) = self.unread.next(self.max, end) {
            self.reader.piece(piece, out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        if let Some(piece) = self.unread.last(self.max) {
            self.reader.piece(piece, out)?;
        }
        self.reader.end_stray(out);
        self.reader.table.flush(out)
    }
}

impl Reader {
    /// Takes what stands between two ends of segments.
    fn piece(&mut self, mut piece: Piece<'_>, out: &mut Rows<'_>) -> Result<(), Error> {
        if piece.offset == 0 && piece.bytes.starts_with(BYTE_ORDER_MARK) {
            piece.skip(BYTE_ORDER_MARK.len());
        }
        // Elsewhere in a segment the byte is a vertical tab.
        while piece.bytes.first() == Some(&BLOCK_BEGINS) {
            self.message = None;
            piece.skip(1);
        }
        if piece.length > 0 {
            self.segment(&piece, out)?;
        }
        if piece.end == Some(BLOCK_ENDS) {
            self.message = None;
        }
        Ok(())
    }

    fn segment(&mut self, piece: &Piece<'_>, out: &mut Rows<'_>) -> Result<(), Error> {
        let name = piece.bytes.get(..3).unwrap_or_default();
        let behind = piece.bytes.get(3);
        match name {
            // Text such as "MSHA…" outside of a message is no header.
            b"MSH" | b"BHS" | b"FHS" if !behind.is_some_and(u8::is_ascii_alphanumeric) => {
                self.message = None;
                self.end_stray(out);
                if piece.is_too_long() {
                    reject(piece, out, &TOO_LONG, "a header is too long");
                    return Ok(());
                }
                let header = Separators::read(piece.bytes);
                let header = header.and_then(|separators| {
                    if name == b"MSH" {
                        self.message = Some(Message::of(piece.bytes, &separators)?);
                        self.messages += 1;
                    }
                    Ok(separators)
                });
                match header {
                    Ok(separators) => self.separators = Some(separators),
                    Err(why) => {
                        reject(piece, out, &BAD_HEADER, why);
                        return Ok(());
                    }
                }
            }
            // They end a batch, and are read as its header or the last message says.
            b"BTS" | b"FTS" if self.separators.is_some() => {
                self.message = None;
                self.end_stray(out);
            }
            _ if self.message.is_none() => {
                self.stray.add_all(piece.offset, piece.length);
                return Ok(());
            }
            _ => {}
        }
        let Some(separators) = &self.separators else {
            return Ok(());
        };
        if let Some(message) = &mut self.message {
            message.segments = message.segments.saturating_add(1);
        }
        if piece.is_too_long() {
            reject(piece, out, &TOO_LONG, "a segment is too long");
            return Ok(());
        }
        if !is_name(name) || behind != Some(&separators.field) {
            reject(piece, out, &BAD_SEGMENT, BAD_SEGMENT.description);
            return Ok(());
        }
        if matches!(&self.segment, Some(wanted) if wanted.as_bytes() != name) {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(piece.bytes) else {
            reject(piece, out, &NOT_UTF8, NOT_UTF8.description);
            return Ok(());
        };
        let separators = *separators;
        self.row(text, separators);
        self.table.end_row(out)
    }

    /// Writes the row of a segment.
    fn row(&mut self, segment: &str, separators: Separators) {
        let (name, fields) = segment.split_at_checked(3).unwrap_or((segment, ""));
        let message = self.message.as_ref();
        let number = message.map(|_| self.messages);
        let place = message.map(|message| message.segments);
        let mut row = self.table.row();
        row.int64(number);
        row.text(message.and_then(|message| message.control_id.as_deref()));
        match &self.columns {
            None => {
                row.text(message.and_then(|message| message.kind.as_deref()));
                row.int32(place);
                row.text(Some(name));
                row.list(Some(fields_of(name, fields, &separators).map(Some)));
            }
            Some(columns) => {
                row.int32(place);
                let fields: Vec<&str> = fields_of(name, fields, &separators).collect();
                let header = separators::is_header(name);
                for position in columns {
                    let field = fields.get(position.field - 1).copied().unwrap_or_default();
                    // A header's first two fields are the separators themselves.
                    if header && position.field <= 2 {
                        whole(&mut row, position, field);
                    } else {
                        value(&mut row, position, field, &separators);
                    }
                }
            }
        }
    }

    /// Rejects, as one, what stood outside of messages.
    fn end_stray(&mut self, out: &mut Rows<'_>) {
        if let Some((offset, length)) = self.stray.end() {
            out.reject(offset, length, &NO_HEADER, NO_HEADER.description);
        }
    }
}

impl Message {
    /// What an MSH says of its message, which begins with it.
    fn of(segment: &[u8], separators: &Separators) -> Result<Self, &'static str> {
        // Field 9 stands behind the eighth separator, for the first is itself field 1.
        let mut fields = segment.split(|byte| *byte == separators.field).skip(8);
        let mut id = || match fields.next() {
            Some(bytes) if bytes.len() > MAX_ID => {
                Err("the type or the control id of a message is longer than 200 bytes")
            }
            // Where it is not UTF-8, the segment is rejected for that.
            Some(bytes) => Ok(std::str::from_utf8(bytes)
                .ok()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)),
            None => Ok(None),
        };
        Ok(Self {
            kind: id()?,
            control_id: id()?,
            segments: 0,
        })
    }
}

fn reject(piece: &Piece<'_>, out: &mut Rows<'_>, rule: &Rule, message: &str) {
    out.reject(piece.offset, piece.length, rule, message);
}

fn is_name(bytes: &[u8]) -> bool {
    bytes.len() == 3 && bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// The fields of a segment, of which `fields` stands behind the name. The first of a header is
/// the field separator.
fn fields_of<'a>(
    name: &str,
    fields: &'a str,
    separators: &Separators,
) -> impl Iterator<Item = &'a str> {
    let separator = char::from(separators.field);
    let mark = fields.get(..1).filter(|_| separators::is_header(name));
    let split = fields.get(1..).unwrap_or_default().split(separator);
    mark.into_iter().chain(split)
}

/// Writes a field that has no parts.
fn whole(row: &mut Row<'_>, position: &Position, field: &str) {
    let is_first = |part: Option<usize>| part.unwrap_or(0) == 0;
    let text = Some(field)
        .filter(|text| !text.is_empty())
        .filter(|_| is_first(position.component) && is_first(position.subcomponent));
    match position.repetition {
        Repetition::Only(number) => row.text(text.filter(|_| number == 0)),
        Repetition::All => row.list(text.map(|text| [Some(text)])),
    }
}

/// Writes the part of a field that a position names.
fn value(row: &mut Row<'_>, position: &Position, field: &str, separators: &Separators) {
    let part = |repetition| {
        separators.value(
            repetition,
            position.component.unwrap_or(0),
            position.subcomponent.unwrap_or(0),
        )
    };
    match position.repetition {
        Repetition::Only(number) => {
            let repetition = nth(field, separators.repetition, number);
            row.text(repetition.and_then(part).as_deref());
        }
        // A field without text, and one that says it is to be emptied, have no repetitions.
        Repetition::All => {
            let field = Some(field).filter(|field| !matches!(*field, "" | separators::EMPTIED));
            row.list(field.map(|field| all(field, separators.repetition).map(part)));
        }
    }
}

weir_plugin::export_decoder!(Hl7);
