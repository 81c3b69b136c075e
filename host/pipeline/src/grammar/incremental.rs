//! `incremental`: how a step tells the rows of a table that it has not read yet.

use crate::fields::{Fields, Keys};
use crate::grammar::Context;
use crate::literals;
use crate::model::{Incremental, Lag, Progress, ReadSource, Removed};
use crate::tree::{Node, Value};

pub(crate) const INCREMENTAL: Keys = Keys {
    name: "incremental",
    what: "`incremental`",
    keys: &["by", "of", "removed", "column", "lag"],
};

/// Keys that belong to versions.
const VERSION_KEYS: &[&str] = &["removed"];
/// Keys that belong to cursors.
const CURSOR_KEYS: &[&str] = &["column", "lag"];

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum By {
    Version,
    Cursor,
}

pub(crate) const BY: &[(&str, By)] = &[("version", By::Version), ("cursor", By::Cursor)];
pub(crate) const REMOVED: &[(&str, Removed)] =
    &[("fail", Removed::Fail), ("ignore", Removed::Ignore)];

pub(crate) fn incremental(
    node: &Node,
    source: Option<&ReadSource>,
    context: &Context<'_>,
) -> Option<Incremental> {
    let fields = Fields::open(node, &INCREMENTAL, context.sink)?;
    let by_hint = "write by = \"version\" for what commits added, or by = \"cursor\" with a column that grows";
    fields.need("by", by_hint);
    let by = fields.choice("by", BY);
    let removed = fields.choice("removed", REMOVED).unwrap_or_default();
    let column = fields.owned("column");
    let lag = match fields.node("lag") {
        None => Some(None),
        Some(node) => lag(&fields, node).map(Some),
    };
    let of = fields.text("of").map(|text| context.source_table(text));
    let table = match (source?, of) {
        (ReadSource::Table(name), None) => name.clone(),
        (ReadSource::Table(_), Some(_)) => {
            fields.refuse(
                &["of"],
                "belongs to `sql`",
                "leave it out: the step reads one table",
            );
            return None;
        }
        (ReadSource::Sql(_), Some(table)) => table?,
        (ReadSource::Sql(_), None) => {
            fields.need(
                "of",
                "write of = \"zone.table\": the table of which the query sees new rows only",
            );
            return None;
        }
        // Told where the key is.
        (ReadSource::Files(_) | ReadSource::Nothing, _) => return None,
    };
    let by = match by? {
        By::Version if context.connections.contains_key(&table.zone) => {
            let place = fields.node("by").map_or(fields.place(), |node| &node.place);
            fields.fault(
                place,
                "tables of databases have no versions",
                "write by = \"cursor\" with a column that grows with each new or changed row",
            );
            return None;
        }
        By::Version => {
            fields.refuse(
                CURSOR_KEYS,
                "belongs to by = \"cursor\"",
                "leave it out, or write by = \"cursor\"",
            );
            Progress::Version { removed }
        }
        By::Cursor => {
            fields.refuse(
                VERSION_KEYS,
                "belongs to by = \"version\"",
                "leave it out: a cursor sees only rows that are there",
            );
            fields.need(
                "column",
                "write column = \"updated_at\": a column that grows with each new or changed row",
            );
            Progress::Cursor {
                column: column?,
                lag: lag?,
            }
        }
    };
    Some(Incremental {
        table,
        by,
        place: node.place.clone(),
    })
}

/// A duration, for times; a whole number, for numbers.
fn lag(fields: &Fields<'_>, node: &Node) -> Option<Lag> {
    let lag = match &node.value {
        Value::Int(number) => u64::try_from(*number)
            .ok()
            .filter(|number| *number > 0)
            .map(Lag::Number),
        Value::String(text) => literals::duration(text).map(Lag::Time),
        _ => None,
    };
    if lag.is_none() && !node.guess {
        fields.fault(
            &node.place,
            "`lag` is neither a duration nor a whole number above 0",
            "write \"2h\" or \"3d\" for a date or timestamp, a number such as 1000 for a number",
        );
    }
    lag
}
