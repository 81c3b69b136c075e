//! Which interchange, group and transaction set a segment stands in.

use decoder_paths::Piece;
use weir_plugin::{Rows, Rule};

use crate::separators::Separators;
use crate::{BAD_SEGMENT, UNCLOSED, WRONG_COUNT};

/// The most bytes of what names a set or a group, which stands in each of its rows.
const MAX_ID: usize = 64;

/// What surrounds a segment.
#[derive(Default)]
pub(crate) struct Envelope {
    interchange: Option<String>,
    group: Option<Group>,
    set: Option<Set>,
}

struct Group {
    control: Option<String>,
}

/// A transaction set, from ST to SE.
pub(crate) struct Set {
    /// What it is, such as 835.
    pub(crate) kind: Option<String>,
    pub(crate) control: Option<String>,
    /// Segments that have come, ST and those that are rejected among them.
    pub(crate) segments: i32,
}

/// Why a segment gives no row.
type Fault = (&'static Rule, &'static str);

impl Envelope {
    pub(crate) fn interchange(&self) -> Option<&str> {
        self.interchange.as_deref()
    }

    pub(crate) fn group(&self) -> Option<&str> {
        self.group.as_ref()?.control.as_deref()
    }

    pub(crate) fn set(&self) -> Option<&Set> {
        self.set.as_ref()
    }

    /// A segment has come, whatever it is.
    pub(crate) fn count(&mut self) {
        if let Some(set) = &mut self.set {
            set.segments = set.segments.saturating_add(1);
        }
    }

    /// A segment has come that may begin something, or end it once its own row is written.
    pub(crate) fn enter(
        &mut self,
        name: &[u8],
        segment: &Piece<'_>,
        separators: &Separators,
        out: &mut Rows<'_>,
    ) -> Option<Fault> {
        let mut fault = None;
        let mut id = |number| {
            let id = element(segment, separators, number)?;
            if id.len() > MAX_ID {
                fault = Some((&BAD_SEGMENT, "what names a group or a set is too long"));
                return None;
            }
            std::str::from_utf8(id).ok().map(str::to_owned)
        };
        match name {
            b"ISA" => {
                *self = Self {
                    interchange: id(13),
                    ..Self::default()
                };
            }
            b"GS" => {
                let group = Group { control: id(6) };
                self.close_group(segment, out);
                self.group = Some(group);
            }
            b"ST" => {
                let set = Set {
                    kind: id(1),
                    control: id(2),
                    segments: 1,
                };
                self.close_set(segment, out);
                self.set = Some(set);
            }
            b"GE" => self.close_set(segment, out),
            b"IEA" => self.close_group(segment, out),
            b"SE" => {
                self.count();
                let said = element(segment, separators, 1);
                let said = said.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                if matches!(&self.set, Some(set) if said != Some(set.segments)) {
                    return Some((
                        &WRONG_COUNT,
                        "SE says another number of segments than its set has",
                    ));
                }
            }
            _ => self.count(),
        }
        fault
    }

    /// The row of a segment is written, which may have ended something.
    pub(crate) fn leave(&mut self, name: &[u8]) {
        match name {
            b"SE" => self.set = None,
            b"GE" => self.group = None,
            b"IEA" => *self = Self::default(),
            _ => {}
        }
    }

    /// No set is open where another begins, or what surrounds it ends.
    fn close_set(&mut self, segment: &Piece<'_>, out: &mut Rows<'_>) {
        if self.set.take().is_some() {
            let why = "the transaction set before this has no SE";
            out.reject(segment.offset, 0, &UNCLOSED, why);
        }
    }

    fn close_group(&mut self, segment: &Piece<'_>, out: &mut Rows<'_>) {
        self.close_set(segment, out);
        if self.group.take().is_some() {
            let why = "the group before this has no GE";
            out.reject(segment.offset, 0, &UNCLOSED, why);
        }
    }
}

/// An element of a segment, from 1, unless it is empty or the segment is not whole.
fn element<'a>(segment: &Piece<'a>, separators: &Separators, number: usize) -> Option<&'a [u8]> {
    let mut elements = segment.bytes.split(|byte| *byte == separators.element);
    let element = elements.nth(number).filter(|element| !element.is_empty());
    element.filter(|_| !segment.is_too_long())
}
