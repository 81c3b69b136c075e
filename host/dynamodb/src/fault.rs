//! Why something is no item, and where.

use std::fmt;

use crate::plain::DEEPEST;

/// What is wrong with an item. It names no attribute and no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wrong {
    /// The line has bytes that are no UTF-8.
    NotUtf8,
    /// Something stands where JSON has nothing of the kind.
    NotJson,
    /// The line ends in the middle of its JSON.
    CutShort,
    /// A string has an escape that JSON does not know, or half of a surrogate pair.
    Escape,
    /// Something stands after the line's object.
    Trailing,
    /// The line is JSON of another kind than an object, or is blank.
    NotObject,
    /// The line is of an export in Amazon Ion.
    Ion,
    /// The line is of an incremental export.
    Incremental,
    /// The line's object has no `Item`.
    NoItem,
    /// The line's object has something beside its `Item`.
    BesideItem,
    /// An object has the same name twice.
    Twice,
    /// An attribute's value has no type.
    NoType,
    /// An attribute's value has a type that is none of DynamoDB's ten.
    UnknownType,
    /// An attribute's value has several types.
    SeveralTypes,
    /// What stands after a type is no value of this type.
    OtherType,
    /// A number is none, or none that DynamoDB can hold: 38 digits, 1E-130 to 9.9…E+125.
    NotNumber,
    /// Bytes are not written as base64.
    NotBase64,
    /// Lists and maps lie within one another more than [`DEEPEST`] deep.
    Deep,
}

impl Wrong {
    /// What to do, in one sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Wrong::NotUtf8
            | Wrong::NotJson
            | Wrong::CutShort
            | Wrong::Escape
            | Wrong::Trailing
            | Wrong::NotObject => {
                "check that the file is a data file of an export in DYNAMODB_JSON, one object a line, and that it was copied whole"
            }
            Wrong::Ion => "export the table again with the format DYNAMODB_JSON",
            Wrong::Incremental => {
                "an incremental export holds changes, not the table: make a full export (ExportType FULL_EXPORT) and read its data files"
            }
            Wrong::NoItem | Wrong::BesideItem => {
                "read the data files of a full export, whose lines are {\"Item\":{…}}; an export's manifests are none of them"
            }
            Wrong::Twice
            | Wrong::NoType
            | Wrong::UnknownType
            | Wrong::SeveralTypes
            | Wrong::OtherType => {
                "each value is an object with one of S, N, B, BOOL, NULL, M, L, SS, NS, BS, each name once: find out what changed the item after DynamoDB wrote it"
            }
            Wrong::NotNumber => {
                "a number is a string of at most 38 digits, such as \"12.50\" or \"1E+5\", from 1E-130 to below 1E+126: mend the item"
            }
            Wrong::NotBase64 => "write bytes as base64 of the standard alphabet, with padding",
            Wrong::Deep => {
                "DynamoDB itself allows 32 levels: find out what wrote the item, and flatten it"
            }
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::NotUtf8 => "these bytes are no UTF-8",
            Wrong::NotJson => "this is no JSON",
            Wrong::CutShort => "the line ends in the middle of its JSON",
            Wrong::Escape => "an escape in a string is none that JSON has",
            Wrong::Trailing => "something stands after the object",
            Wrong::NotObject => "the line is no JSON object",
            Wrong::Ion => "the line is Amazon Ion, not DynamoDB JSON",
            Wrong::Incremental => "the line is of an incremental export",
            Wrong::NoItem => "the line has no `Item`",
            Wrong::BesideItem => "something stands beside the line's `Item`",
            Wrong::Twice => "a name stands twice in one object",
            Wrong::NoType => "a value has no type",
            Wrong::UnknownType => "a value has a type that DynamoDB does not have",
            Wrong::SeveralTypes => "a value has several types",
            Wrong::OtherType => "a value is not of the type that it says",
            Wrong::NotNumber => "a number is none that DynamoDB can hold",
            Wrong::NotBase64 => "bytes are not written as base64",
            Wrong::Deep => {
                return write!(f, "lists and maps are nested more than {DEEPEST} deep");
            }
        })
    }
}

impl std::error::Error for Wrong {}

/// What is wrong with a line, and where in it. It names no attribute and no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    wrong: Wrong,
    at: usize,
}

impl Fault {
    pub(crate) fn new(wrong: Wrong, at: usize) -> Fault {
        Fault { wrong, at }
    }

    /// What is wrong.
    pub fn wrong(&self) -> Wrong {
        self.wrong
    }

    /// How many bytes of the line stand before the place. It is the line's length where the line
    /// ends too early.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> &'static str {
        self.wrong.hint()
    }
}

impl fmt::Display for Fault {
    /// The place, counted from 1, and what is wrong there; whoever knows the file's and the line's
    /// name writes it before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at.saturating_add(1), self.wrong)
    }
}

impl std::error::Error for Fault {}
