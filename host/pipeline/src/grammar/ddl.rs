//! `ddl`: how a server's table is made.

use std::collections::BTreeMap;

use crate::fault::Sink;
use crate::fields::{self, Fields, Keys};
use crate::grammar::Context;
use crate::grammar::sections::non_empty;
use crate::grammar::write::{names, partition_by};
use crate::model::{Ddl, Dist, DistStyle};
use crate::tree::{Node, Value};

pub(crate) const DDL: Keys = Keys {
    name: "ddl",
    what: "`ddl`",
    keys: &[
        "types",
        "primary_key",
        "indexes",
        "partition_by",
        "grants",
        "dist_style",
        "dist_key",
        "sort_key",
    ],
};

pub(crate) const DIST_STYLES: &[(&str, DistStyle)] =
    &[("even", DistStyle::Even), ("all", DistStyle::All)];

/// A longer type no database has.
const LONGEST_TYPE: usize = 100;

/// The outer `None` is a fault.
pub(crate) fn ddl(node: &Node, context: &Context<'_>) -> Option<Ddl> {
    let fields = Fields::open(node, &DDL, context.sink)?;
    let types = match fields.node("types") {
        None => Some(BTreeMap::new()),
        Some(node) => types(node, &fields, context.sink),
    };
    let list = |key: &str| match fields.node(key) {
        None => Some(Vec::new()),
        Some(_) => names(&fields, key),
    };
    let (primary_key, grants) = (list("primary_key"), list("grants"));
    let indexes = match fields.node("indexes") {
        None => Some(Vec::new()),
        Some(node) => indexes(node, &fields, context.sink),
    };
    let partition_by = match fields.node("partition_by") {
        None => Some(Vec::new()),
        Some(_) => partition_by(&fields),
    };
    let dist = dist(&fields);
    let sort_key = list("sort_key");
    Some(Ddl {
        dist: dist?,
        sort_key: sort_key?,
        types: types?,
        partition_by: partition_by?,
        primary_key: primary_key?,
        indexes: indexes?,
        grants: grants?,
        place: node.place.clone(),
    })
}

/// The outer `None` is a fault.
fn dist(fields: &Fields<'_>) -> Option<Option<Dist>> {
    if fields.node("dist_key").is_some() {
        fields.refuse(
            &["dist_style"],
            "is said by `dist_key` already",
            "leave one of the two out",
        );
        return non_empty(fields, "dist_key").map(|column| Some(Dist::Key(column)));
    }
    match fields.node("dist_style") {
        None => Some(None),
        Some(_) => fields
            .choice("dist_style", DIST_STYLES)
            .map(|style| Some(Dist::Style(style))),
    }
}

fn types(node: &Node, fields: &Fields<'_>, sink: &Sink) -> Option<BTreeMap<String, String>> {
    let types: Vec<_> = fields::named(node, "types", sink)
        .map(|(column, entry)| {
            let text = fields::text(&entry.node, column, sink)?;
            // The server says whether it has such a type; what is no type at all is not sent to it.
            let fine = text.text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.text.len() <= LONGEST_TYPE
                && text
                    .text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || " _(),.[]\"".contains(c));
            if !fine && !text.guess {
                fields.fault(
                    text.place,
                    format!("'{}' is no type of a column", text.text.escape_debug()),
                    "write a type of the database, such as \"varchar(20)\" or \"numeric(12,2)\"",
                );
            }
            fine.then(|| (column.to_owned(), text.text.to_owned()))
        })
        .collect();
    types.into_iter().collect()
}

/// A list of columns, or of lists of columns.
fn indexes(node: &Node, fields: &Fields<'_>, sink: &Sink) -> Option<Vec<Vec<String>>> {
    let Value::Array(entries) = &node.value else {
        fields::wrong_kind(node, "indexes", "a list", sink);
        return None;
    };
    entries
        .iter()
        .map(|entry| match &entry.value {
            Value::String(column) => Some(vec![column.clone()]),
            _ => {
                let columns = fields::texts(entry, "indexes", sink)?;
                if columns.is_empty() {
                    fields.fault(
                        &entry.place,
                        "an index has no column",
                        "write indexes = [\"state\", [\"source\", \"day\"]]",
                    );
                    return None;
                }
                Some(
                    columns
                        .iter()
                        .map(|column| column.text.to_owned())
                        .collect(),
                )
            }
        })
        .collect()
}
