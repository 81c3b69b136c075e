//! A line of an export in DynamoDB's JSON, as plain JSON text.
//!
//! One pass over the line's bytes: each value is written as it is read, and an object whose names are
//! not in order is put in order when it ends. Nothing is kept of the line but the names of the objects
//! that are open.

use std::ops::Range;

use crate::fault::{Fault, Wrong};
use crate::plain::{self, DEEPEST};

/// What only the lines of incremental exports have.
const OF_CHANGES: [&str; 4] = ["Keys", "Metadata", "NewImage", "OldImage"];

/// Turns the lines of a table's full export in `DYNAMODB_JSON` into plain JSON, one at a time. It
/// keeps the memory that a line took for the next one.
///
/// The caller undoes gzip and finds the lines' ends.
#[derive(Debug, Default)]
pub struct ExportLines {
    room: Room,
}

/// Memory that lines take one after another.
#[derive(Debug, Default)]
struct Room {
    /// The attributes of the objects that are open, the innermost object's last.
    attributes: Vec<Attribute>,
    /// Their names.
    names: String,
    /// A string without its escapes.
    text: String,
    /// An object in the order of its names.
    sorted: Vec<u8>,
}

/// An attribute that has been written.
#[derive(Debug, Clone)]
struct Attribute {
    /// Where its name is in [`Room::names`].
    name: Range<usize>,
    /// Where name and value are in the output.
    written: Range<usize>,
    /// Where its name begins in the line.
    at: usize,
}

impl ExportLines {
    /// A converter.
    pub fn new() -> ExportLines {
        ExportLines::default()
    }

    /// Appends the item of a line to `out` as one JSON object without a line's end, its attributes
    /// sorted by name. The line may end with its line's end or without.
    ///
    /// # Errors
    /// What is wrong with the line; then `out` is as it was, and the next line can be converted.
    pub fn convert(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let text = std::str::from_utf8(line)
            .map_err(|error| Fault::new(Wrong::NotUtf8, error.valid_up_to()))?;
        self.room.attributes.clear();
        self.room.names.clear();
        let before = out.len();
        let mut reading = Reading {
            line: text,
            at: 0,
            out,
            room: &mut self.room,
        };
        let read = reading.line();
        if read.is_err() {
            out.truncate(before);
        }
        read
    }
}

/// A line being read.
struct Reading<'a> {
    line: &'a str,
    /// The next byte.
    at: usize,
    out: &'a mut Vec<u8>,
    room: &'a mut Room,
}

/// A string of the line.
#[derive(Clone, Copy)]
enum Text<'a> {
    /// Without escapes.
    Plain(&'a str),
    /// With escapes; what stands between the quotes, and where it begins.
    Escaped(&'a str, usize),
}

impl<'a> Reading<'a> {
    fn line(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.rest().starts_with(b"$ion") {
            return Err(self.wrong(Wrong::Ion));
        }
        if !self.eat(b'{') {
            return Err(self.wrong(Wrong::NotObject));
        }
        let mut found = false;
        self.blanks();
        if !self.eat(b'}') {
            loop {
                self.blanks();
                let at = self.at;
                match self.text()? {
                    Text::Plain("Item") if !found => {}
                    Text::Plain("Item") => return Err(Fault::new(Wrong::Twice, at)),
                    Text::Plain(name) if OF_CHANGES.contains(&name) => {
                        return Err(Fault::new(Wrong::Incremental, at));
                    }
                    _ if found => return Err(Fault::new(Wrong::BesideItem, at)),
                    _ => return Err(Fault::new(Wrong::NoItem, at)),
                }
                found = true;
                self.colon()?;
                self.attributes(0)?;
                if !self.another(b'}')? {
                    break;
                }
            }
        }
        if !found {
            return Err(Fault::new(Wrong::NoItem, 0));
        }
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong(Wrong::Trailing)),
        }
    }

    /// An object of attributes, which lies in `depth` lists and maps.
    fn attributes(&mut self, depth: usize) -> Result<(), Fault> {
        self.open(b'{')?;
        self.out.push(b'{');
        let first = self.room.attributes.len();
        let first_name = self.room.names.len();
        let body = self.out.len();
        let mut ordered = true;
        self.blanks();
        if !self.eat(b'}') {
            loop {
                self.blanks();
                let at = self.at;
                let written = self.out.len();
                let name = self.name()?;
                ordered = ordered && self.follows(first, &name);
                self.colon()?;
                self.value(depth)?;
                self.room.attributes.push(Attribute {
                    name,
                    written: written..self.out.len(),
                    at,
                });
                if !self.another(b'}')? {
                    break;
                }
                self.out.push(b',');
            }
        }
        if !ordered {
            self.sort(first, body)?;
        }
        self.room.attributes.truncate(first);
        self.room.names.truncate(first_name);
        self.out.push(b'}');
        Ok(())
    }

    /// Reads and writes an attribute's name, and says where it is kept.
    fn name(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.room.names.len();
        match self.text()? {
            Text::Plain(name) => {
                self.room.names.push_str(name);
                quoted(self.out, name);
            }
            Text::Escaped(raw, at) => {
                unescape(raw, &mut self.room.names).map_err(|offset| escape(at, offset))?;
                let name = self.room.names.get(start..).unwrap_or_default();
                plain::string(self.out, name);
            }
        }
        self.out.push(b':');
        Ok(start..self.room.names.len())
    }

    /// Whether a name comes after that of the object's last attribute, where there is one.
    fn follows(&self, first: usize, name: &Range<usize>) -> bool {
        let open = self.room.attributes.get(first..).unwrap_or_default();
        open.last()
            .is_none_or(|last| self.room.name(&last.name) < self.room.name(name))
    }

    /// Puts the attributes from `first` on in order, which are all that was written after `body`.
    fn sort(&mut self, first: usize, body: usize) -> Result<(), Fault> {
        let Room {
            attributes,
            names,
            sorted,
            ..
        } = &mut *self.room;
        let name = |range: &Range<usize>| names.get(range.clone()).unwrap_or_default();
        let attributes = attributes.get_mut(first..).unwrap_or_default();
        attributes.sort_unstable_by(|a, b| {
            let order = name(&a.name).cmp(name(&b.name));
            order.then(a.at.cmp(&b.at))
        });
        let twice = attributes.windows(2).find_map(|pair| match pair {
            [a, b] if name(&a.name) == name(&b.name) => Some(b.at),
            _ => None,
        });
        if let Some(at) = twice {
            return Err(Fault::new(Wrong::Twice, at));
        }
        sorted.clear();
        for attribute in &*attributes {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            let written = self.out.get(attribute.written.clone());
            sorted.extend_from_slice(written.unwrap_or_default());
        }
        self.out.truncate(body);
        self.out.extend_from_slice(sorted);
        Ok(())
    }

    /// An object of a type and a value, which lies in `depth` lists and maps.
    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        self.open(b'{')?;
        self.blanks();
        if self.peek() == Some(b'}') {
            return Err(self.wrong(Wrong::NoType));
        }
        let at = self.at;
        let Text::Plain(tag) = self.text()? else {
            return Err(Fault::new(Wrong::UnknownType, at));
        };
        self.colon()?;
        match tag {
            "S" => self.string()?,
            "N" => self.number()?,
            "B" => self.binary()?,
            "BOOL" => self.boolean()?,
            "NULL" => self.null()?,
            "M" => {
                let depth = self.deeper(depth)?;
                self.attributes(depth)?;
            }
            "L" => {
                let depth = self.deeper(depth)?;
                self.array(|reading| reading.value(depth))?;
            }
            "SS" => self.array(Self::string)?,
            "NS" => self.array(Self::number)?,
            "BS" => self.array(Self::binary)?,
            _ => return Err(Fault::new(Wrong::UnknownType, at)),
        }
        if self.another(b'}')? {
            self.blanks();
            return Err(self.wrong(Wrong::SeveralTypes));
        }
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Result<usize, Fault> {
        match depth {
            DEEPEST.. => Err(self.wrong(Wrong::Deep)),
            depth => Ok(depth + 1),
        }
    }

    fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(b'[')?;
        self.out.push(b'[');
        self.blanks();
        if !self.eat(b']') {
            loop {
                self.blanks();
                element(self)?;
                if !self.another(b']')? {
                    break;
                }
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        match self.text_value()? {
            Text::Plain(text) => quoted(self.out, text),
            Text::Escaped(raw, at) => {
                let text = self.unescaped(raw, at)?;
                plain::string(self.out, &text);
                self.room.text = text;
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.ascii(plain::number)
    }

    fn binary(&mut self) -> Result<(), Fault> {
        self.ascii(plain::base64)
    }

    /// A string whose content is written by `write`.
    fn ascii(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>, &[u8]) -> Result<(), Wrong>,
    ) -> Result<(), Fault> {
        let at = self.at;
        let written = match self.text_value()? {
            Text::Plain(text) => write(self.out, text.as_bytes()),
            Text::Escaped(raw, begin) => {
                let text = self.unescaped(raw, begin)?;
                let written = write(self.out, text.as_bytes());
                self.room.text = text;
                written
            }
        };
        written.map_err(|wrong| Fault::new(wrong, at))
    }

    fn boolean(&mut self) -> Result<(), Fault> {
        for word in ["true", "false"] {
            if self.word(word) {
                self.out.extend_from_slice(word.as_bytes());
                return Ok(());
            }
        }
        Err(self.other())
    }

    fn null(&mut self) -> Result<(), Fault> {
        if !self.word("true") {
            return Err(self.other());
        }
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word.as_bytes());
        if there {
            self.at += word.len();
        }
        there
    }

    /// A value that has to be a string.
    fn text_value(&mut self) -> Result<Text<'a>, Fault> {
        match self.peek() {
            Some(b'"') => self.text(),
            _ => Err(self.other()),
        }
    }

    /// A string, where nothing else may stand.
    fn text(&mut self) -> Result<Text<'a>, Fault> {
        if !self.eat(b'"') {
            return Err(self.syntax());
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.rest();
            let plain = rest
                .iter()
                .position(|byte| !plain::stands_for_itself(*byte));
            self.at += plain.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    match self.peek() {
                        // No character's later bytes are below 0x80: the text is cut between characters.
                        Some(0x20..0x80) => self.at += 1,
                        Some(_) => return Err(self.wrong(Wrong::Escape)),
                        None => return Err(self.wrong(Wrong::CutShort)),
                    }
                }
                Some(_) => return Err(self.wrong(Wrong::NotJson)),
                None => return Err(self.wrong(Wrong::CutShort)),
            }
        }
        let text = self.line.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(match escaped {
            false => Text::Plain(text),
            true => Text::Escaped(text, start),
        })
    }

    /// A string without its escapes. The caller gives the memory back.
    fn unescaped(&mut self, raw: &str, at: usize) -> Result<String, Fault> {
        let mut text = std::mem::take(&mut self.room.text);
        text.clear();
        unescape(raw, &mut text).map_err(|offset| escape(at, offset))?;
        Ok(text)
    }

    fn colon(&mut self) -> Result<(), Fault> {
        self.blanks();
        if !self.eat(b':') {
            return Err(self.syntax());
        }
        self.blanks();
        Ok(())
    }

    /// Whether a comma and so another member follows, and not the end.
    fn another(&mut self, end: u8) -> Result<bool, Fault> {
        self.blanks();
        if self.eat(b',') {
            return Ok(true);
        }
        if self.eat(end) {
            return Ok(false);
        }
        Err(self.syntax())
    }

    /// The bracket of a value that has to be an object or an array.
    fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        match self.eat(bracket) {
            true => Ok(()),
            false => Err(self.other()),
        }
    }

    fn blanks(&mut self) {
        let blanks = self.rest().iter();
        self.at += blanks
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.line.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, wrong: Wrong) -> Fault {
        Fault::new(wrong, self.at)
    }

    /// What is wrong where JSON has something else.
    fn syntax(&self) -> Fault {
        self.wrong(match self.peek() {
            None => Wrong::CutShort,
            Some(_) => Wrong::NotJson,
        })
    }

    /// What is wrong where a value is not the one that its type demands.
    fn other(&self) -> Fault {
        self.wrong(match self.peek() {
            None => Wrong::CutShort,
            Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Wrong::OtherType,
            Some(_) => Wrong::NotJson,
        })
    }
}

impl Room {
    fn name(&self, range: &Range<usize>) -> &str {
        self.names.get(range.clone()).unwrap_or_default()
    }
}

fn escape(start: usize, offset: usize) -> Fault {
    Fault::new(Wrong::Escape, start + offset)
}

/// Writes a string in which nothing is to be escaped.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends what stands between a string's quotes without its escapes, or says where an escape is wrong.
fn unescape(raw: &str, text: &mut String) -> Result<(), usize> {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let at = raw.len() - escape.len() - 1;
        let mut characters = escape.chars();
        let character = match characters.next() {
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, after) = unicode(characters.as_str()).ok_or(at)?;
                characters = after.chars();
                character
            }
            _ => return Err(at),
        };
        text.push(character);
        rest = characters.as_str();
    }
    text.push_str(rest);
    Ok(())
}

/// The character whose code follows `\u`, by one escape or a pair of them, and what comes after it.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, after) = unit(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, after));
    }
    let (second, after) = unit(after.strip_prefix("\\u")?)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    let character = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)?;
    Some((character, after))
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    // A sign would be taken for part of the number.
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
        .map(|unit| (unit, after))
}
