//! `schema_change`: what becomes of a target whose columns differ from those of the rows.

use crate::fault::Sink;
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::stage::threshold;
use crate::model::{ColumnChange, SchemaChange, TableChange, Threshold, WriteMode};
use crate::tree::{Node, Value};

pub(crate) const SCHEMA_CHANGE: Keys = Keys {
    name: "schema_change",
    what: "`schema_change`",
    keys: &[
        "new_table",
        "new_column",
        "changed_type",
        "missing_column",
        "fail_above",
        "warn_above",
    ],
};

pub(crate) const TABLE_CHANGES: &[(&str, TableChange)] = &[
    ("evolve", TableChange::Evolve),
    ("freeze", TableChange::Freeze),
];

pub(crate) const COLUMN_CHANGES: &[(&str, ColumnChange)] = &[
    ("evolve", ColumnChange::Evolve),
    ("freeze", ColumnChange::Freeze),
    ("quarantine", ColumnChange::Quarantine),
    ("discard", ColumnChange::Discard),
];

/// What a file says; what it does not say depends on the mode of the write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    new_table: Option<TableChange>,
    new_column: Option<ColumnChange>,
    changed_type: Option<ColumnChange>,
    missing_column: Option<TableChange>,
    fail_above: Option<Threshold>,
    warn_above: Option<Threshold>,
}

impl Wanted {
    /// The same with what holds where nothing is said. A table that is replaced whole takes the columns
    /// of its rows; any other keeps its own.
    pub(crate) fn of_mode(&self, mode: WriteMode) -> SchemaChange {
        let (columns, missing) = match mode {
            WriteMode::Replace => (ColumnChange::Evolve, TableChange::Evolve),
            WriteMode::Append
            | WriteMode::ReplacePartition
            | WriteMode::ReplaceDynamic
            | WriteMode::Merge => (ColumnChange::Freeze, TableChange::Freeze),
        };
        SchemaChange {
            new_table: self.new_table.unwrap_or(TableChange::Evolve),
            new_column: self.new_column.unwrap_or(columns),
            changed_type: self.changed_type.unwrap_or(columns),
            missing_column: self.missing_column.unwrap_or(missing),
            fail_above: self.fail_above,
            warn_above: self.warn_above,
        }
    }

    /// Whether single values are judged by the type of a column that is there.
    pub(crate) fn judges_values(&self) -> bool {
        match self.changed_type {
            Some(ColumnChange::Quarantine | ColumnChange::Discard) => true,
            Some(ColumnChange::Evolve | ColumnChange::Freeze) | None => false,
        }
    }

    /// Whether rows may be rejected, or counted.
    fn judges_rows(&self) -> bool {
        self.judges_values() || self.new_column == Some(ColumnChange::Quarantine)
    }
}

/// Reads the key where it is there: a table, or one word for new columns and changed types.
pub(crate) fn schema_change(node: &Node, sink: &Sink) -> Option<Wanted> {
    if let Value::String(text) = &node.value {
        let text = Text {
            text,
            place: &node.place,
            guess: node.guess,
        };
        let both = fields::choice(text, "schema_change", COLUMN_CHANGES, sink)?;
        return Some(Wanted {
            new_column: Some(both),
            changed_type: Some(both),
            ..Wanted::default()
        });
    }
    let fields = Fields::open(node, &SCHEMA_CHANGE, sink)?;
    let wanted = Wanted {
        new_table: fields.choice("new_table", TABLE_CHANGES),
        new_column: fields.choice("new_column", COLUMN_CHANGES),
        changed_type: fields.choice("changed_type", COLUMN_CHANGES),
        missing_column: fields.choice("missing_column", TABLE_CHANGES),
        fail_above: threshold(&fields, "fail_above"),
        warn_above: threshold(&fields, "warn_above"),
    };
    if !wanted.judges_rows() {
        fields.refuse(
            &["fail_above", "warn_above"],
            "counts rows that a table cannot take",
            "write new_column = \"quarantine\", or changed_type = \"quarantine\" or \"discard\" too, or leave it out",
        );
    }
    Some(wanted)
}
