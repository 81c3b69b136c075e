//! The columns of files: a schema file, or the same inline.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::file::ReadText;
use crate::grammar::{Context, data_type, mask};
use crate::model::{Column, DataType};
use crate::place::Place;
use crate::tree::{self, Node, Value};

pub(crate) const SCHEMA_FILE: Keys = Keys {
    name: "schema_file",
    what: "a schema file",
    keys: &["columns", "description"],
};

pub(crate) const COLUMN: Keys = Keys {
    name: "column",
    what: "a column",
    keys: &["name", "type", "nullable", "source", "sensitivity"],
};

/// A column whose name is the key before it.
pub(crate) const NAMED_COLUMN: Keys = Keys {
    name: "named_column",
    what: "a column",
    keys: &["type", "nullable", "source", "sensitivity"],
};

/// Schema files already read: many steps share one.
pub(crate) struct SchemaFiles {
    read_text: ReadText,
    known: RefCell<BTreeMap<PathBuf, Option<Vec<Column>>>>,
}

impl SchemaFiles {
    pub(crate) fn new(read_text: ReadText) -> SchemaFiles {
        SchemaFiles {
            read_text,
            known: RefCell::default(),
        }
    }

    /// The text of a file, or why there is none.
    pub(crate) fn text(&self, path: &Path) -> Result<String, String> {
        (self.read_text)(path)
    }
}

/// The columns of a `schema` key; none if there are faults.
pub(crate) fn declared(node: &Node, context: &Context<'_>) -> Option<Vec<Column>> {
    match &node.value {
        Value::String(path) => {
            let text = Text {
                text: path,
                place: &node.place,
                guess: node.guess,
            };
            from_file(text, context)
        }
        // An inline table may be a whole schema file's content or the columns themselves; a
        // column may be called `columns` too.
        Value::Table(table) => match table.get("columns").map(|entry| &entry.node) {
            Some(columns) if !matches!(columns.value, Value::String(_)) => {
                file_content(node, context.sink)
            }
            _ => columns(node, context.sink),
        },
        _ => columns(node, context.sink),
    }
}

fn from_file(text: Text<'_>, context: &Context<'_>) -> Option<Vec<Column>> {
    let path = context.dir.join(text.text);
    if let Some(known) = context.schemas.known.borrow().get(&path) {
        return known.clone();
    }
    let columns = match (context.schemas.read_text)(&path) {
        Ok(content) => match tree::parse(&path, &content) {
            Ok(root) => file_content(&root, context.sink),
            Err(fault) => {
                context.sink.push(fault);
                None
            }
        },
        Err(why) => {
            // A path that depends on a parameter without a value need not exist.
            if !text.guess {
                context.sink.push(
                    Fault::new(format!("schema file '{}' cannot be read: {why}", text.text))
                        .at(text.place)
                        .hint("paths are relative to the folder of the pipeline file"),
                );
                // Not remembered: each step that names it is blamed.
            }
            return None;
        }
    };
    context
        .schemas
        .known
        .borrow_mut()
        .insert(path, columns.clone());
    columns
}

fn file_content(root: &Node, sink: &Sink) -> Option<Vec<Column>> {
    let fields = Fields::open(root, &SCHEMA_FILE, sink)?;
    fields.text("description");
    let hint = "write [columns] with a line for each: id = \"int64 not null\"";
    columns(fields.need("columns", hint)?, sink)
}

/// A list of column tables, or a table of names and types.
pub(crate) fn columns(node: &Node, sink: &Sink) -> Option<Vec<Column>> {
    let columns: Vec<(Option<Column>, &Place)> = match &node.value {
        Value::Array(nodes) => nodes
            .iter()
            .map(|node| (column(node, sink), &node.place))
            .collect(),
        Value::Table(table) => table
            .iter()
            .map(|(name, entry)| (shorthand(name, &entry.key, &entry.node, sink), &entry.key))
            .collect(),
        _ => {
            fields::wrong_kind(node, "schema", "a path, a table or a list of columns", sink);
            return None;
        }
    };
    if columns.is_empty() {
        sink.push(
            Fault::new("a schema needs a column")
                .at(&node.place)
                .hint("write a name and a type for each column: id = \"int64 not null\""),
        );
        return None;
    }
    let mut seen = BTreeSet::new();
    for (column, place) in &columns {
        if let Some(column) = column
            && !seen.insert(column.name.to_lowercase())
        {
            sink.push(
                Fault::new(format!("two columns are named '{}'", column.name))
                    .at(place)
                    .hint("names must differ by more than case; `source` says what the file calls a column"),
            );
        }
    }
    columns.into_iter().map(|(column, _)| column).collect()
}

fn column(node: &Node, sink: &Sink) -> Option<Column> {
    let fields = Fields::open(node, &COLUMN, sink)?;
    let hint = "write { name = \"id\", type = \"int64\" }";
    let name = fields
        .need_text("name", hint)
        .filter(|text| named_well(text.text, text.place, sink));
    let data_type = fields
        .need_text("type", hint)
        .and_then(|text| typed(text.text, text.place, sink));
    let nullable = fields.flag("nullable").unwrap_or(true);
    let source = fields.owned("source");
    Some(Column {
        name: name?.text.to_owned(),
        source,
        data_type: data_type?,
        nullable,
        sensitivity: mask::labels(&fields, sink),
    })
}

/// `name = { type = "type", … }`
fn named(name: &str, key: &Place, node: &Node, sink: &Sink) -> Option<Column> {
    let fine = named_well(name, key, sink);
    let fields = Fields::open(node, &NAMED_COLUMN, sink)?;
    let text = fields.need_text("type", "write type = \"string\"")?;
    let (data_type, nullable) = written(text, sink)?;
    fine.then(|| Column {
        name: name.to_owned(),
        source: fields.owned("source"),
        data_type,
        nullable: fields.flag("nullable").unwrap_or(nullable),
        sensitivity: mask::labels(&fields, sink),
    })
}

/// `name = "type"` or `name = "type not null"`
fn shorthand(name: &str, key: &Place, node: &Node, sink: &Sink) -> Option<Column> {
    if node.table().is_some() {
        return named(name, key, node, sink);
    }
    let fine = named_well(name, key, sink);
    let text = fields::text(node, name, sink)?;
    let (data_type, nullable) = written(text, sink)?;
    fine.then(|| Column {
        name: name.to_owned(),
        source: None,
        data_type,
        nullable,
        sensitivity: Vec::new(),
    })
}

/// A type, and `not null` behind it.
fn written(text: Text<'_>, sink: &Sink) -> Option<(DataType, bool)> {
    let written = text.text.trim();
    let (written, nullable) = match written.strip_suffix("not null") {
        Some(written) => (written.trim_end(), false),
        None => (written, true),
    };
    Some((typed(written, text.place, sink)?, nullable))
}

fn typed(text: &str, place: &Place, sink: &Sink) -> Option<DataType> {
    match data_type::parse(text) {
        Ok(data_type) => Some(data_type),
        Err(bad) => {
            sink.push(
                Fault::new(bad.message)
                    .at(&place.narrowed_to(&bad.fragment))
                    .hint(bad.hint),
            );
            None
        }
    }
}

fn named_well(name: &str, place: &Place, sink: &Sink) -> bool {
    // Delta Lake refuses the rest.
    let fine = !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_control() || " ,;{}()=".contains(c));
    if !fine {
        sink.push(
            Fault::new(format!("a column cannot be named '{name}'"))
                .at(place)
                .hint("leave out spaces and , ; { } ( ) =; write { name = \"…\", source = \"name in the file\", type = \"…\" }"),
        );
    }
    fine
}
