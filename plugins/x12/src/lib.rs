//! Decodes files of X12 interchanges: one row for each segment, or columns of one kind of segment.
//!
//! An interchange is the segments from ISA to IEA. ISA has 106 bytes, in fixed places of which
//! stand the characters that separate and end everything up to IEA; [`Separators`] reads them. What
//! stands between interchanges is rejected; spaces and ends of lines are passed over.

mod envelope;
mod separators;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use decoder_paths::{
    Columns, Piece, Position, Repetition, Stray, Table, Unread, all, list_of_text, max_bytes, nth,
};
use weir_plugin::prelude::*;

use envelope::Envelope;
use separators::{ISA, Separators, next_isa};

/// The most bytes of a segment, unless the configuration says otherwise.
const MAX_BYTES: usize = 1 << 20;

const A_PATH: &str = "an element, and if wanted its repetition and its component, all from 1: \"3\", \"1-2\", \"2[3]-1\", or \"5[*]\" for a list of all repetitions";

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The segment that gives rows, such as `CLP`. All do if it is left out.
    segment: Option<String>,
    /// The transaction sets whose segments give rows, such as `835`. All do if it is left out.
    set: Option<String>,
    /// Columns of that segment in place of `name` and `elements`: a path for each name, such as
    /// `{ claim = "1", code = "1-2" }`.
    columns: Option<Columns>,
    /// The most bytes of a segment; 1 MiB if it is left out.
    max_bytes: Option<u64>,
}

const NO_ENVELOPE: Rule = Rule {
    name: "no_envelope",
    description: "Everything stands in an interchange, from its ISA to its IEA.",
};
const BAD_ISA: Rule = Rule {
    name: "bad_isa",
    description: "An ISA has 106 bytes, with its separators in their fixed places.",
};
const BAD_SEGMENT: Rule = Rule {
    name: "bad_segment",
    description: "A segment begins with two or three letters or digits and the element separator, and what names a group or a set has at most 64 bytes.",
};
const NOT_UTF8: Rule = Rule {
    name: "not_utf8",
    description: "A segment is UTF-8 text.",
};
const TOO_LONG: Rule = Rule {
    name: "too_long",
    description: "A segment has at most as many bytes as `max_bytes` allows.",
};
const WRONG_COUNT: Rule = Rule {
    name: "wrong_count",
    description: "SE says how many segments its transaction set has.",
};
const UNCLOSED: Rule = Rule {
    name: "unclosed",
    description: "Transaction sets, groups and interchanges end with SE, GE and IEA.",
};

/// The decoder: what is not read yet, and what is known of where it stands.
struct X12 {
    max: usize,
    unread: Unread,
    place: Place,
    reader: Reader,
}

/// Where in the file it is.
enum Place {
    /// Outside of interchanges, or in one whose ISA could not be read.
    Outside(Stray, &'static Rule),
    /// Where an ISA begins.
    Header,
    /// In an interchange.
    Inside(Separators),
}

/// What becomes of segments.
struct Reader {
    segment: Option<String>,
    set: Option<String>,
    columns: Option<Vec<Position>>,
    table: Table,
    envelope: Envelope,
}

impl Decoder for X12 {
    type Config = Config;

    const INFO: Info = Info {
        name: "x12",
        version: env!("CARGO_PKG_VERSION"),
        description: "Decodes X12 interchanges into rows of their segments.",
        columns: &[],
        rules: &[
            NO_ENVELOPE,
            BAD_ISA,
            BAD_SEGMENT,
            NOT_UTF8,
            TOO_LONG,
            WRONG_COUNT,
            UNCLOSED,
        ],
    };

    fn bind(config: Config, _: &Context) -> Result<(Self, SchemaRef), Error> {
        if let Some(segment) = &config.segment
            && !is_name(segment.as_bytes())
        {
            return Err(Error::config(
                "`segment` is no name of a segment\nhint: write its two or three characters, such as segment = \"CLP\"",
            ));
        }
        if let Some(set) = &config.set
            && (set.is_empty() || !set.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            return Err(Error::config(
                "`set` is no transaction set\nhint: write its number, such as set = \"835\"",
            ));
        }
        let fixed = ["interchange", "group", "set", "control", "segment"];
        let mut fields: Vec<Field> = fixed
            .iter()
            .map(|name| match *name {
                "segment" => Field::new(*name, DataType::Int32, true),
                _ => Field::new(*name, DataType::Utf8, true),
            })
            .collect();
        let columns = match config.columns {
            None => {
                fields.extend([
                    Field::new("name", DataType::Utf8, false),
                    Field::new("elements", list_of_text(), false),
                ]);
                None
            }
            Some(_) if config.segment.is_none() => {
                return Err(Error::config(
                    "`columns` are those of one segment\nhint: say which, such as segment = \"CLP\"",
                ));
            }
            Some(columns) => {
                let parse = |path: &str| Position::parse(path, '-', 1);
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
            place: Place::Outside(Stray::default(), &NO_ENVELOPE),
            reader: Reader {
                segment: config.segment,
                set: config.set,
                columns,
                table: Table::new(schema.clone())?,
                envelope: Envelope::default(),
            },
        };
        Ok((decoder, schema))
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        self.unread.push(bytes);
        while self.step(out)? {}
        Ok(())
    }

    fn finish(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        self.end(out)?;
        self.reader.table.flush(out)
    }
}

impl X12 {
    /// Reads on, and says whether it can go on with what has come.
    fn step(&mut self, out: &mut Rows<'_>) -> Result<bool, Error> {
        match &mut self.place {
            Place::Outside(stray, rule) => {
                let rest = self.unread.rest();
                let (passed, is_header) = match next_isa(rest) {
                    Some(begins) => (begins, true),
                    // The last three bytes may be the first of an ISA.
                    None => (rest.len().saturating_sub(ISA.len()), false),
                };
                stray.add(self.unread.offset(), rest.get(..passed).unwrap_or_default());
                self.unread.skip(passed);
                if is_header {
                    reject(stray, rule, out);
                    self.place = Place::Header;
                }
                Ok(is_header)
            }
            Place::Header => {
                let Some(header) = self.unread.rest().first_chunk() else {
                    return Ok(false);
                };
                let offset = self.unread.offset();
                match Separators::read(header) {
                    Some(separators) => {
                        // Without the byte that ends it.
                        let bytes = header.get(..header.len() - 1).unwrap_or_default();
                        let piece = Piece {
                            offset,
                            bytes,
                            length: bytes.len() as u64,
                            end: header.last().copied(),
                        };
                        self.reader.segment(&piece, &separators, out)?;
                        let length = header.len();
                        self.unread.skip(length);
                        self.place = Place::Inside(separators);
                    }
                    None => {
                        // All up to the next ISA is lost, for nothing says how it is separated.
                        let mut stray = Stray::default();
                        stray.add(offset, ISA);
                        self.unread.skip(ISA.len());
                        self.place = Place::Outside(stray, &BAD_ISA);
                    }
                }
                Ok(true)
            }
            Place::Inside(separators) => {
                if !self.unread.is_dropping() {
                    let rest = self.unread.rest();
                    let blank = rest.iter().take_while(|byte| is_line_end(**byte)).count();
                    self.unread.skip(blank);
                    // Another ISA may bring another end of segments, so it is looked for first.
                    let rest = self.unread.rest();
                    if rest.len() <= ISA.len() && ISA.starts_with(rest) {
                        return Ok(false);
                    }
                    if next_isa(rest.get(..=ISA.len()).unwrap_or_default()) == Some(0) {
                        let offset = self.unread.offset();
                        let why = "an interchange begins before the one before it has its IEA";
                        out.reject(offset, 0, &UNCLOSED, why);
                        self.place = Place::Header;
                        return Ok(true);
                    }
                }
                let end = |bytes: &[u8]| {
                    let end = memchr::memchr(separators.end, bytes)?;
                    Some(end..end + 1)
                };
                let Some(piece) = self.unread.next(self.max, end) else {
                    return Ok(false);
                };
                if piece.length > 0 && self.reader.segment(&piece, separators, out)? {
                    self.place = Place::Outside(Stray::default(), &NO_ENVELOPE);
                }
                Ok(true)
            }
        }
    }

    /// The file has ended.
    fn end(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        let offset = self.unread.offset();
        match &mut self.place {
            Place::Outside(stray, rule) => {
                stray.add(offset, self.unread.rest());
                reject(stray, rule, out);
            }
            Place::Header => {
                let mut stray = Stray::default();
                stray.add(offset, self.unread.rest());
                reject(&mut stray, &BAD_ISA, out);
            }
            Place::Inside(separators) => {
                let last = self.unread.last(self.max);
                let mut piece = last.unwrap_or(Piece {
                    offset,
                    bytes: &[],
                    length: 0,
                    end: None,
                });
                // The last segment of a file may lack its end.
                let is_iea = piece.bytes.strip_prefix(b"IEA").and_then(<[u8]>::first)
                    == Some(&separators.element);
                if is_iea && !piece.is_too_long() {
                    piece.bytes = piece.bytes.trim_ascii_end();
                    piece.length = piece.bytes.len() as u64;
                    self.reader.segment(&piece, separators, out)?;
                } else {
                    let why = "the file ends within an interchange";
                    out.reject(piece.offset, piece.length, &UNCLOSED, why);
                }
            }
        }
        Ok(())
    }
}

/// Rejects the run of bytes that ends here.
fn reject(stray: &mut Stray, rule: &Rule, out: &mut Rows<'_>) {
    if let Some((offset, length)) = stray.end() {
        out.reject(offset, length, rule, rule.description);
    }
}

impl Reader {
    /// Takes a segment, and says whether it ended the interchange.
    fn segment(
        &mut self,
        piece: &Piece<'_>,
        separators: &Separators,
        out: &mut Rows<'_>,
    ) -> Result<bool, Error> {
        let name = piece
            .bytes
            .split(|byte| *byte == separators.element)
            .next()
            .unwrap_or_default();
        let ended = name == b"IEA";
        let is_segment = is_name(name) && name.len() < piece.bytes.len();
        let fault = if is_segment {
            // What surrounds it, or ends before it, is to be known first.
            self.envelope.enter(name, piece, separators, out)
        } else {
            self.envelope.count();
            Some((&BAD_SEGMENT, BAD_SEGMENT.description))
        };
        let fault = match fault {
            _ if piece.is_too_long() => Some((&TOO_LONG, TOO_LONG.description)),
            fault => fault,
        };
        if let Some((rule, why)) = fault {
            out.reject(piece.offset, piece.length, rule, why);
        } else if self.is_wanted(name) {
            match std::str::from_utf8(piece.bytes) {
                Ok(text) => self.row(text, name.len(), separators, out)?,
                Err(_) => out.reject(piece.offset, piece.length, &NOT_UTF8, NOT_UTF8.description),
            }
        }
        if is_segment {
            self.envelope.leave(name);
        }
        Ok(ended)
    }

    fn is_wanted(&self, name: &[u8]) -> bool {
        let segment = self.segment.as_ref();
        segment.is_none_or(|wanted| wanted.as_bytes() == name)
            && (self.set.is_none()
                || self.set == self.envelope.set().and_then(|set| set.kind.clone()))
    }

    fn row(
        &mut self,
        segment: &str,
        name: usize,
        separators: &Separators,
        out: &mut Rows<'_>,
    ) -> Result<(), Error> {
        let (name, rest) = segment.split_at_checked(name).unwrap_or((segment, ""));
        let elements = rest
            .get(1..)
            .unwrap_or_default()
            .split(char::from(separators.element));
        let set = self.envelope.set();
        let mut row = self.table.row();
        row.text(self.envelope.interchange());
        row.text(self.envelope.group());
        row.text(set.and_then(|set| set.kind.as_deref()));
        row.text(set.and_then(|set| set.control.as_deref()));
        row.int32(set.map(|set| set.segments));
        let Some(columns) = &self.columns else {
            row.text(Some(name));
            row.list(Some(elements.map(Some)));
            return self.table.end_row(out);
        };
        // The elements of an ISA have no parts: some of them are what separates parts.
        let (repetitions, components) = match name {
            "ISA" => (None, None),
            _ => (separators.repetition, Some(separators.component)),
        };
        let elements: Vec<&str> = elements.collect();
        for position in columns {
            let element = elements.get(position.field - 1).copied();
            let part = |repetition| {
                let part = match position.component {
                    Some(component) => nth(repetition, components, component)?,
                    None => repetition,
                };
                Some(part).filter(|part| !part.is_empty())
            };
            match position.repetition {
                Repetition::Only(number) => {
                    let repetition = element.and_then(|element| nth(element, repetitions, number));
                    row.text(repetition.and_then(part));
                }
                Repetition::All => {
                    let element = element.filter(|element| !element.is_empty());
                    row.list(element.map(|element| all(element, repetitions).map(part)));
                }
            }
        }
        self.table.end_row(out)
    }
}

/// Whether bytes are the name of a segment.
fn is_name(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 2..=3) && bytes.iter().all(u8::is_ascii_alphanumeric)
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

weir_plugin::export_decoder!(X12);
