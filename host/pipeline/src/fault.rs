//! What is wrong with a file, and how it is told.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::place::{Place, shown};

/// One thing wrong, with what to do about it.
///
/// ```
/// use weir_pipeline::{Fault, Place};
///
/// let place = Place::new(std::path::Path::new("a.toml"), "limit = 'x'", 8..11);
/// let fault = Fault::new("`limit` must be an integer").at(&place).hint("write limit = 10");
/// assert_eq!(
///     fault.to_string(),
///     "error: `limit` must be an integer\n --> a.toml:1:9\n  |\n1 | limit = 'x'\n  |         ^^^\nhint: write limit = 10"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where; absent where the fault is in an argument.
    pub place: Option<Place>,
    /// What is wrong, one line without a full stop.
    pub message: String,
    /// What to do, one line.
    pub hint: Option<String>,
    /// Whether the place's line is named but not shown: it may hold a secret.
    secret: bool,
}

impl Fault {
    /// A fault without place and hint.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault {
            place: None,
            message: message.into(),
            hint: None,
            secret: false,
        }
    }

    /// The same fault, whose line is not shown, nor by any other fault of the file that stands there.
    #[must_use]
    pub fn secret(self) -> Fault {
        Fault {
            secret: true,
            ..self
        }
    }

    fn line(&self) -> Option<(&std::path::Path, usize)> {
        let place = self.place.as_ref()?;
        Some((&*place.file, place.line_column().0))
    }

    /// The same fault, at a place.
    #[must_use]
    pub fn at(self, place: &Place) -> Fault {
        Fault {
            place: Some(place.clone()),
            ..self
        }
    }

    /// The same fault, with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Fault {
        Fault {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Faults without a place come first, then file by file from top to bottom.
    fn order(&self, other: &Fault) -> std::cmp::Ordering {
        fn key(fault: &Fault) -> Option<(&std::path::Path, usize, usize)> {
            fault
                .place
                .as_ref()
                .map(|place| (&*place.file, place.span.start, place.span.end))
        }
        key(self)
            .cmp(&key(other))
            .then_with(|| self.message.cmp(&other.message))
    }

    /// Whether both say the same of the same place: a step with `each` and a file checked with
    /// several parameter values meet one fault many times.
    fn repeats(&self, other: &Fault) -> bool {
        self.order(other).is_eq()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", shown(&self.message))?;
        if let Some(place) = &self.place {
            let (line, _) = place.line_column();
            let gutter = " ".repeat(line.to_string().len());
            write!(f, "\n{gutter}--> {place}")?;
            if !self.secret {
                write!(f, "\n{}", place.snippet())?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {}", shown(hint))?;
        }
        Ok(())
    }
}

impl Error for Fault {}

/// All that is wrong with a file: at least one fault, each once, in the order of the file.
#[derive(Clone, Debug)]
pub struct Faults(Vec<Fault>);

/// More faults than this are counted, not shown.
const SHOWN_FAULTS: usize = 100;

impl Faults {
    /// Fails if there are any.
    ///
    /// # Errors
    ///
    /// The faults, sorted, each once.
    pub fn check(mut faults: Vec<Fault>) -> Result<(), Faults> {
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by(Fault::order);
        faults.dedup_by(|later, earlier| later.repeats(earlier));
        let secret: BTreeSet<(PathBuf, usize)> = faults
            .iter()
            .filter(|fault| fault.secret)
            .filter_map(|fault| fault.line().map(|(file, line)| (file.to_owned(), line)))
            .collect();
        if !secret.is_empty() {
            for fault in &mut faults {
                let line = fault.line().map(|(file, line)| (file.to_owned(), line));
                fault.secret = line.is_some_and(|line| secret.contains(&line));
            }
        }
        Err(Faults(faults))
    }

    /// The faults in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// How many there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Faults {
        Faults(vec![fault])
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    /// The faults, with an empty line between two; no line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().take(SHOWN_FAULTS).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fault.fmt(f)?;
        }
        if self.0.len() > SHOWN_FAULTS {
            write!(f, "\n\nand {} more errors", self.0.len() - SHOWN_FAULTS)?;
        }
        Ok(())
    }
}

impl Error for Faults {}

/// Where readers put the faults they meet, so that one fault does not hide the next.
#[derive(Default)]
pub(crate) struct Sink(RefCell<Vec<Fault>>);

impl Sink {
    pub(crate) fn push(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    pub(crate) fn extend(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.borrow_mut().extend(faults);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn finish(self) -> Result<(), Faults> {
        Faults::check(self.0.into_inner())
    }
}
