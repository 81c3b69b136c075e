//! A file as values: one on each line, or one after the other.
//!
//! The first line says which. If it begins an object or an array that does not end on it, or
//! that another one follows, values stand one after the other, and where one ends its brackets
//! say. Else each line is one, and a line that is none spoils no other.

use decoder_paths::{Piece, Stray, Unread};
use weir_plugin::Error;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The values of a file, as it comes.
pub(crate) struct Values {
    max: usize,
    unread: Unread,
    layout: Layout,
}

enum Layout {
    /// The first line has not ended: so many bytes of it hold no end.
    Unknown(usize),
    /// A value on each line.
    Lines,
    /// Values one after the other, and what stands between them.
    Values(Scan, Stray),
}

/// A part of a file.
pub(crate) enum Part<'a> {
    /// What should be a value.
    Value(Piece<'a>),
    /// Bytes between values: where they begin, and how many they are.
    Between(u64, u64),
}

/// Takes the next part of the file.
type Take<'t> = &'t mut dyn FnMut(Part<'_>) -> Result<(), Error>;

impl Values {
    /// Values of at most so many bytes.
    pub(crate) fn within(max: usize) -> Self {
        Self {
            max,
            unread: Unread::default(),
            layout: Layout::Unknown(0),
        }
    }

    /// Takes the next bytes of the file.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.push(bytes);
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.unread.rest().len()
    }

    /// Gives the values that have come.
    pub(crate) fn read(&mut self, take: Take<'_>) -> Result<(), Error> {
        while self.step(take)? {}
        Ok(())
    }

    /// Gives what is left when the file has ended.
    pub(crate) fn finish(&mut self, take: Take<'_>) -> Result<(), Error> {
        if let Layout::Unknown(_) = self.layout {
            self.layout = Layout::Values(Scan::default(), Stray::default());
            self.read(take)?;
        }
        if let Some(piece) = self.unread.last(self.max) {
            line(piece, take)?;
        }
        if let Layout::Values(_, stray) = &mut self.layout {
            between(stray, take)?;
        }
        Ok(())
    }

    /// Reads on, and says whether it can go on with what has come.
    fn step(&mut self, take: Take<'_>) -> Result<bool, Error> {
        match &mut self.layout {
            Layout::Unknown(seen) => {
                let rest = self.unread.rest();
                let mut blank = 0;
                if self.unread.offset() == 0 {
                    if rest.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(rest) {
                        return Ok(false);
                    }
                    if rest.starts_with(BYTE_ORDER_MARK) {
                        blank = BYTE_ORDER_MARK.len();
                    }
                }
                let behind = rest.get(blank..).unwrap_or_default();
                blank += behind.len() - behind.trim_ascii_start().len();
                self.unread.skip(blank);
                let rest = self.unread.rest();
                let Some(first) = rest.first() else {
                    return Ok(false);
                };
                if !matches!(first, b'{' | b'[') {
                    self.layout = Layout::Lines;
                    return Ok(true);
                }
                let new = rest.get(*seen..).unwrap_or_default();
                let end = memchr::memchr(b'\n', new).map(|end| *seen + end);
                let first = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                if end.is_none() && first.len() <= self.max {
                    *seen = rest.len();
                    return Ok(false);
                }
                self.layout = match first.len() <= self.max && is_alone(first) {
                    true => Layout::Lines,
                    false => Layout::Values(Scan::default(), Stray::default()),
                };
                Ok(true)
            }
            Layout::Lines => {
                let end = |bytes: &[u8]| {
                    let end = memchr::memchr(b'\n', bytes)?;
                    Some(end..end + 1)
                };
                let Some(piece) = self.unread.next(self.max, end) else {
                    return Ok(false);
                };
                line(piece, take)?;
                Ok(true)
            }
            Layout::Values(scan, stray) => {
                if !scan.has_begun() {
                    let rest = self.unread.rest();
                    let begins = memchr::memchr2(b'{', b'[', rest);
                    let passed = rest.get(..begins.unwrap_or(rest.len())).unwrap_or_default();
                    let count = passed.len();
                    stray.add(self.unread.offset(), passed);
                    self.unread.skip(count);
                    if begins.is_none() {
                        return Ok(false);
                    }
                    between(stray, take)?;
                }
                let end = |bytes: &[u8]| scan.end(bytes).map(|end| end..end);
                let Some(piece) = self.unread.next(self.max, end) else {
                    return Ok(false);
                };
                *scan = Scan::default();
                take(Part::Value(piece))?;
                Ok(true)
            }
        }
    }
}

/// Gives a line without the blanks around it, if it has anything else.
fn line(mut piece: Piece<'_>, take: Take<'_>) -> Result<(), Error> {
    if !piece.is_too_long() {
        piece.skip(piece.bytes.len() - piece.bytes.trim_ascii_start().len());
        piece.bytes = piece.bytes.trim_ascii_end();
        piece.length = piece.bytes.len() as u64;
    }
    match piece.length {
        0 => Ok(()),
        _ => take(Part::Value(piece)),
    }
}

/// Gives what stands between two values, which is none.
fn between(stray: &mut Stray, take: Take<'_>) -> Result<(), Error> {
    match stray.end() {
        Some((offset, length)) => take(Part::Between(offset, length)),
        None => Ok(()),
    }
}

/// Whether a line is one value and nothing else, or ends within a string, which no line of a
/// value laid out over several does.
fn is_alone(line: &[u8]) -> bool {
    let mut scan = Scan::default();
    match scan.end(line) {
        Some(end) => line.get(end..).unwrap_or_default().trim_ascii().is_empty(),
        None => scan.is_in_string,
    }
}

/// How far into an object or an array a scan has come.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
}

impl Scan {
    fn has_begun(&self) -> bool {
        self.depth > 0
    }

    /// Goes on, up to behind the bracket that closes the first one.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.is_in_string {
                match byte {
                    b'"' => self.is_in_string = false,
                    b'\\' => self.is_escaped = true,
                    _ => {
                        let rest = bytes.get(at..).unwrap_or_default();
                        at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    }
                }
            } else {
                match byte {
                    b'"' => self.is_in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Some(at);
                        }
                    }
                    _ => {}
                }
            }
        }
        None
    }
}
