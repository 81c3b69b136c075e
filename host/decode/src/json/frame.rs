//! Where the records of a JSON file begin and end, be they JSON or not.
//!
//! | file | a record is |
//! |---|---|
//! | lines | a line that is not blank |
//! | an array | what stands between its brackets and commas, and what stands after the array |
//! | objects one after the other | an object; or what stands where one should begin, up to the end of the line |
//!
//! In the latter two a bracket or quote that is never closed makes the rest of the file one record.

use memchr::{memchr2, memchr3};

use super::scan::DEEPEST;
use crate::record::Lines;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Follows a text that may come in any parts, and gives its records in parts.
pub(super) struct Frame {
    place: Place,
    lines: Lines,
    /// Bytes of a byte order mark met at the beginning.
    mark: usize,
    open: Option<Open>,
}

/// Where records are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In lines.
    Lines,
    /// In an array or not: nothing has been seen.
    Start,
    /// Outside of an array.
    Bare,
    /// In an array: its end may come before a record does.
    First,
    /// In an array, after a comma.
    Element,
    /// After the array.
    Beyond,
    /// Nowhere: the file has ended.
    End,
}

/// A record that has begun.
struct Open {
    line: u64,
    /// Brackets and braces open.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Whether brackets were opened, and closed again.
    closed: bool,
    shape: Shape,
}

impl Open {
    /// Takes a byte, or what there is of a string (`by_line`: in its line); how many bytes. There is
    /// one.
    fn pass(&mut self, text: &[u8], by_line: bool) -> usize {
        if self.in_string {
            return self.string(text, by_line);
        }
        match text.first() {
            Some(b'"') => {
                self.in_string = true;
                self.demand(self.depth > 0);
            }
            Some(b'{' | b'[') => {
                self.demand(!self.closed);
                self.depth += 1;
                if self.depth > DEEPEST && self.shape == Shape::Object {
                    self.shape = Shape::Deep;
                }
            }
            Some(b'}' | b']') => {
                self.demand(self.depth > 0);
                self.depth = self.depth.saturating_sub(1);
                self.closed |= self.depth == 0;
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') | None => {}
            Some(_) => self.demand(self.depth > 0),
        }
        1
    }

    fn string(&mut self, text: &[u8], by_line: bool) -> usize {
        if self.escaped {
            self.escaped = false;
            return 1;
        }
        let found = match by_line {
            true => memchr3(b'"', b'\\', b'\n', text),
            false => memchr2(b'"', b'\\', text),
        };
        let Some(at) = found else {
            return text.len();
        };
        if text.get(at) == Some(&b'\n') {
            return at;
        }
        self.escaped = text.get(at) == Some(&b'\\');
        self.in_string = self.escaped;
        at + 1
    }

    /// What is not so makes it something else than an object.
    fn demand(&mut self, holds: bool) {
        if !holds && self.shape == Shape::Object {
            self.shape = Shape::Other;
        }
    }

    /// What it is, if it ends here.
    fn ended(&self) -> Shape {
        match self.shape {
            Shape::Object if !self.closed || self.depth > 0 => Shape::Other,
            shape => shape,
        }
    }
}

/// What a record looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object, if its brackets are of the right kinds and all between them is.
    Object,
    /// Nests too deep.
    Deep,
    /// Something else, or more.
    Other,
    /// Never ends.
    Endless,
}

/// What comes next of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Bytes of the open record.
    Bytes(&'a [u8]),
    /// The record's end, and the line on which it began.
    End(Shape, u64),
    /// The text is used up.
    More,
}

impl Frame {
    pub(super) fn new(array: bool) -> Frame {
        Frame {
            place: match array {
                true => Place::Start,
                false => Place::Lines,
            },
            lines: Lines::default(),
            mark: 0,
            open: None,
        }
    }

    /// The next part of `text`, which is moved on.
    pub(super) fn next<'a>(&mut self, text: &mut &'a [u8]) -> Part<'a> {
        if self.open.is_none()
            && let Some(part) = self.between(text)
        {
            return part;
        }
        self.within(text)
    }

    /// The end of the file is the end of the open record, and then of an array that should go on: what
    /// is missing of it is a record too.
    pub(super) fn finish(&mut self) -> Part<'static> {
        let place = std::mem::replace(&mut self.place, Place::End);
        if matches!(self.mark, 1 | 2) && self.open.is_none() {
            self.mark = BOM.len();
            return Part::End(Shape::Other, self.lines.line());
        }
        match (self.open.take(), place) {
            (Some(open), Place::Lines | Place::Beyond) => Part::End(open.ended(), open.line),
            (Some(open), Place::Bare) if open.depth == 0 => Part::End(open.ended(), open.line),
            (Some(open), Place::First | Place::Element) if open.ended() == Shape::Object => {
                self.place = place;
                Part::End(Shape::Object, open.line)
            }
            (Some(open), _) => Part::End(Shape::Endless, open.line),
            (None, Place::First | Place::Element) => Part::End(Shape::Endless, self.lines.line()),
            (None, Place::Lines | Place::Start | Place::Bare | Place::Beyond | Place::End) => {
                Part::More
            }
        }
    }

    /// Goes on to where a record begins. An element that is not there is a record too.
    fn between<'a>(&mut self, text: &mut &'a [u8]) -> Option<Part<'a>> {
        while let Some((byte, rest)) = text.split_first() {
            if BOM.get(self.mark) == Some(byte) {
                self.mark += 1;
                *text = rest;
                continue;
            }
            let half = match self.mark {
                1 | 2 => BOM.get(..self.mark),
                _ => None,
            };
            self.mark = BOM.len();
            if let Some(half) = half {
                if self.place == Place::Start {
                    self.place = Place::Bare;
                }
                self.begin(b'?');
                return Some(Part::Bytes(half));
            }
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                self.lines.pass(&[*byte]);
                *text = rest;
                continue;
            }
            match (self.place, byte) {
                (Place::Start, b'[') => {
                    self.place = Place::First;
                    self.pass_over(text);
                }
                (Place::Start, _) => self.place = Place::Bare,
                (Place::First, b']') => {
                    self.place = Place::Beyond;
                    self.pass_over(text);
                }
                (Place::First | Place::Element, b',' | b']') => {
                    let line = self.lines.line();
                    self.after(*byte);
                    self.pass_over(text);
                    return Some(Part::End(Shape::Other, line));
                }
                (
                    Place::Lines
                    | Place::Bare
                    | Place::First
                    | Place::Element
                    | Place::Beyond
                    | Place::End,
                    _,
                ) => {
                    self.begin(*byte);
                    return None;
                }
            }
        }
        Some(Part::More)
    }

    fn pass_over(&mut self, text: &mut &[u8]) {
        if let Some((byte, rest)) = text.split_first() {
            self.lines.pass(&[*byte]);
            *text = rest;
        }
    }

    /// What ended an element says what may come.
    fn after(&mut self, byte: u8) {
        self.place = match byte {
            b']' => Place::Beyond,
            _ => Place::Element,
        };
    }

    fn begin(&mut self, first: u8) {
        let object = first == b'{' && self.place != Place::Beyond;
        self.open = Some(Open {
            line: self.lines.line(),
            depth: 0,
            in_string: false,
            escaped: false,
            closed: false,
            shape: match object {
                true => Shape::Object,
                false => Shape::Other,
            },
        });
    }

    /// Goes on to where the open record ends.
    fn within<'a>(&mut self, text: &mut &'a [u8]) -> Part<'a> {
        let Some(open) = &mut self.open else {
            return Part::More;
        };
        let place = self.place;
        let mut at = 0;
        // Whether the record ends here, and with the byte after it: a comma, a bracket, a line's end.
        let mut ends = false;
        while let Some(byte) = text.get(at).copied() {
            let stands_alone = open.depth == 0 && !open.in_string;
            ends = match place {
                Place::Lines => byte == b'\n',
                Place::First | Place::Element => stands_alone && matches!(byte, b',' | b']'),
                Place::Bare => open.depth == 0 && (open.closed || byte == b'\n'),
                Place::Start | Place::Beyond | Place::End => false,
            };
            if ends {
                break;
            }
            let by_line = match place {
                Place::Lines => true,
                Place::Bare => open.depth == 0,
                Place::Start | Place::First | Place::Element | Place::Beyond | Place::End => false,
            };
            at += open.pass(text.get(at..).unwrap_or_default(), by_line);
        }
        let (bytes, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
        if !bytes.is_empty() {
            self.lines.pass(bytes);
            *text = rest;
            return Part::Bytes(bytes);
        }
        if !ends {
            return Part::More;
        }
        let ended = Part::End(open.ended(), open.line);
        self.open = None;
        if let (Place::First | Place::Element, Some(byte)) = (place, text.first()) {
            self.after(*byte);
            self.pass_over(text);
        }
        ended
    }
}
