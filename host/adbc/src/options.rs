//! Options of a database, whose values may be secrets.

use std::fmt;

/// The value of an option: a path, a login, a limit. `Debug` shows its kind only.
#[derive(Clone)]
pub struct OptionValue(Value);

#[derive(Clone)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Int(i64),
    Double(f64),
}

/// What a value is to a driver.
pub(crate) enum Shape<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(i64),
    Double(f64),
}

impl OptionValue {
    /// A text, which every driver takes.
    pub fn text(value: impl Into<String>) -> OptionValue {
        OptionValue(Value::Text(value.into()))
    }

    /// Bytes. Drivers of ADBC 1.0 refuse them, and whole numbers and fractions too.
    pub fn bytes(value: impl Into<Vec<u8>>) -> OptionValue {
        OptionValue(Value::Bytes(value.into()))
    }

    /// A whole number.
    pub fn int(value: i64) -> OptionValue {
        OptionValue(Value::Int(value))
    }

    /// A fraction.
    pub fn double(value: f64) -> OptionValue {
        OptionValue(Value::Double(value))
    }

    pub(crate) fn shape(&self) -> Shape<'_> {
        match &self.0 {
            Value::Text(value) => Shape::Text(value),
            Value::Bytes(value) => Shape::Bytes(value),
            Value::Int(value) => Shape::Int(*value),
            Value::Double(value) => Shape::Double(*value),
        }
    }
}

impl fmt::Debug for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Value::Text(_) => "<text>",
            Value::Bytes(_) => "<bytes>",
            Value::Int(_) => "<int>",
            Value::Double(_) => "<double>",
        })
    }
}

impl From<&str> for OptionValue {
    fn from(value: &str) -> OptionValue {
        OptionValue::text(value)
    }
}

impl From<String> for OptionValue {
    fn from(value: String) -> OptionValue {
        OptionValue::text(value)
    }
}
