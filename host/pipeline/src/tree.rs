//! TOML as a tree whose every node knows its place, so that parts of several files can be merged
//! and still be blamed rightly.

use std::path::Path;

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use crate::fault::Fault;
use crate::place::Place;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
    /// Whether a stand-in for a parameter's value went into it. What such a text names cannot be
    /// judged before the parameter is given.
    pub(crate) guess: bool,
}

#[derive(Clone)]
pub(crate) enum Value {
    String(String),
    Int(i64),
    /// The number and how it is written.
    Float(f64, String),
    Bool(bool),
    Datetime(Datetime),
    Array(Vec<Node>),
    Table(Table),
}

/// A table in the order of the file.
#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) IndexMap<String, Entry>);

/// A table's value, with the place of its key.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: Place,
    pub(crate) node: Node,
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(key, entry)| (key.as_str(), entry))
    }
}

impl Node {
    pub(crate) fn new(place: Place, value: Value) -> Node {
        Node {
            place,
            value,
            guess: false,
        }
    }

    /// What a message calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::String(_) => "a string",
            Value::Int(_) => "an integer",
            Value::Float(..) => "a float",
            Value::Bool(_) => "a boolean",
            Value::Datetime(datetime) if datetime.time.is_none() => "a date",
            Value::Datetime(_) => "a date-time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// A scalar as text; tables and arrays have none.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            Value::Float(_, written) => Some(written.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Datetime(datetime) => Some(datetime.to_string()),
            Value::Array(_) | Value::Table(_) => None,
        }
    }

    /// The calendar day, if it is one.
    pub(crate) fn date(&self) -> Option<chrono::NaiveDate> {
        match &self.value {
            Value::Datetime(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => chrono::NaiveDate::from_ymd_opt(
                i32::from(date.year),
                u32::from(date.month),
                u32::from(date.day),
            ),
            _ => None,
        }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The elements of an array; a single value is a list of one.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::Array(nodes) => nodes,
            _ => std::slice::from_ref(self),
        }
    }
}

/// The root table of a file. Of several syntax errors only the first is reported: the others are
/// mostly its consequences.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Node, Fault> {
    let root = Place::new(file, text, 0..0);
    match DeTable::parse(text) {
        Ok(table) => {
            let value = convert_table(table.get_ref(), &root, 0)?;
            Ok(Node::new(root, value))
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().next().unwrap_or("syntax error");
            Err(Fault::new(format!("this is not TOML: {message}"))
                .at(&root.with_span(span))
                .hint("see https://toml.io for the syntax of TOML"))
        }
    }
}

/// Deeper trees are refused: this crate walks them by recursion, and no pipeline file comes near.
const DEEPEST: usize = 32;

fn convert_table(table: &DeTable<'_>, root: &Place, depth: usize) -> Result<Value, Fault> {
    let mut entries = IndexMap::with_capacity(table.len());
    for (key, value) in table {
        let node = Node::new(
            root.with_span(value.span()),
            convert(value.get_ref(), &root.with_span(value.span()), depth + 1)?,
        );
        entries.insert(
            key.get_ref().to_string(),
            Entry {
                key: root.with_span(key.span()),
                node,
            },
        );
    }
    Ok(Value::Table(Table(entries)))
}

fn convert(value: &DeValue<'_>, place: &Place, depth: usize) -> Result<Value, Fault> {
    if depth > DEEPEST {
        return Err(Fault::new("this is nested too deeply")
            .at(place)
            .hint(format!(
                "a pipeline file nests at most {DEEPEST} tables and arrays"
            )));
    }
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Value::Int(parsed.map_err(|_| {
                Fault::new("this integer does not fit into 64 bits")
                    .at(place)
                    .hint("write it as a string if its digits matter")
            })?)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse();
            Value::Float(
                parsed.map_err(|_| Fault::new("this is not a number").at(place))?,
                number.as_str().to_owned(),
            )
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(datetime) => Value::Datetime(*datetime),
        DeValue::Array(values) => Value::Array(
            values
                .iter()
                .map(|value| {
                    let place = place.with_span(value.span());
                    let value = convert(value.get_ref(), &place, depth + 1)?;
                    Ok(Node::new(place, value))
                })
                .collect::<Result<_, Fault>>()?,
        ),
        DeValue::Table(table) => convert_table(table, place, depth)?,
    })
}

/// A day as TOML holds it; years outside 0 to 9999 have no TOML form.
pub(crate) fn toml_date(date: chrono::NaiveDate) -> Option<Datetime> {
    use chrono::Datelike as _;
    Some(Datetime {
        date: Some(toml::value::Date {
            year: u16::try_from(date.year())
                .ok()
                .filter(|year| *year < 10_000)?,
            month: u8::try_from(date.month()).ok()?,
            day: u8::try_from(date.day()).ok()?,
        }),
        time: None,
        offset: None,
    })
}
