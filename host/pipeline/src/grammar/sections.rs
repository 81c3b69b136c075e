//! The sections that name places: lake, zones, connections.

use std::collections::BTreeMap;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys};
use crate::literals;
use crate::model::{Connection, ConnectionKind, Zone};
use crate::place::Place;
use crate::tree::{Node, Value};

pub(crate) const LAKE: Keys = Keys {
    name: "lake",
    what: "[lake]",
    keys: &["url"],
};

pub(crate) const ZONE: Keys = Keys {
    name: "zone",
    what: "a zone",
    keys: &["url", "sensitivity", "retention"],
};

pub(crate) const CONNECTION: Keys = Keys {
    name: "connection",
    what: "a connection",
    keys: &["kind", "path"],
};

pub(crate) const CONNECTION_KINDS: &[(&str, ())] = &[("sqlite", ())];

/// Where tables go if nothing else is said.
const DEFAULT_LAKE: &str = "./lake";

pub(crate) fn lake(node: Option<&Node>, sink: &Sink) -> String {
    let text = node
        .and_then(|node| Fields::open(node, &LAKE, sink))
        .and_then(|fields| non_empty(&fields, "url"));
    text.unwrap_or_else(|| DEFAULT_LAKE.to_owned())
}

/// All zones, faulty ones too: that a zone is faulty does not make its tables unknown.
pub(crate) fn zones(node: Option<&Node>, sink: &Sink) -> BTreeMap<String, Zone> {
    entries(node, "zone", sink)
        .map(|(name, key, node)| {
            // The lake's own records lie beside its zones, in `_weir`.
            if !literals::is_identifier(name) || name.starts_with('_') {
                sink.push(
                    Fault::new(format!("a zone cannot be named '{name}'"))
                        .at(key)
                        .hint("use lower-case letters, digits and _, a letter first"),
                );
            }
            let fields = Fields::open(node, &ZONE, sink);
            let fields = fields.as_ref();
            let zone = Zone {
                url: fields.and_then(|fields| non_empty(fields, "url")),
                sensitivity: fields.and_then(|fields| fields.owned("sensitivity")),
                retention: fields.and_then(|fields| fields.duration("retention")),
                place: key.clone(),
            };
            (name.to_owned(), zone)
        })
        .collect()
}

pub(crate) fn connections(node: Option<&Node>, sink: &Sink) -> BTreeMap<String, Connection> {
    entries(node, "connections", sink)
        .map(|(name, key, node)| {
            named_well("connection", name, key, sink);
            let path = connection_path(node, sink);
            let connection = Connection {
                kind: ConnectionKind::Sqlite { path },
                place: key.clone(),
            };
            (name.to_owned(), connection)
        })
        .collect()
}

/// A connection of a kind that is not supported has keys this version does not know, so the kind
/// alone is blamed.
fn connection_path(node: &Node, sink: &Sink) -> Option<String> {
    let kind = node.table().and_then(|table| table.get("kind"));
    if let Some(kind) = kind.and_then(|entry| fields::text(&entry.node, "kind", sink))
        && !CONNECTION_KINDS.iter().any(|(name, ())| *name == kind.text)
    {
        if !kind.guess {
            let kinds = CONNECTION_KINDS.iter().map(|(name, ())| *name);
            sink.push(
                Fault::new(format!("kind '{}' is not supported yet", kind.text))
                    .at(kind.place)
                    .hint(fields::choices("the kinds are", kind.text, kinds)),
            );
        }
        return None;
    }
    let fields = Fields::open(node, &CONNECTION, sink)?;
    fields.need("kind", "write kind = \"sqlite\"");
    // Empty is unset: `path = "${env.X:-}"` stands for the default where X is not set.
    match fields.node("path").map(|node| &node.value) {
        Some(Value::String(text)) if text.is_empty() => None,
        _ => non_empty(&fields, "path"),
    }
}

/// A text that says something; control characters never belong into a path or URL.
pub(crate) fn non_empty(fields: &Fields<'_>, key: &str) -> Option<String> {
    let text = fields.text(key)?;
    if text.text.is_empty() || text.text.chars().any(char::is_control) {
        fields.fault(
            text.place,
            format!("`{key}` is empty or holds control characters"),
            format!("give `{key}` a path or URL, or leave it out for the default"),
        );
        return None;
    }
    Some(text.text.to_owned())
}

pub(crate) fn named_well(what: &str, name: &str, key: &Place, sink: &Sink) {
    if !literals::is_name(name) {
        sink.push(
            Fault::new(format!("a {what} cannot be named '{name}'"))
                .at(key)
                .hint("use lower-case letters, digits, - and _, a letter or digit first"),
        );
    }
}

/// Name, place of the name, and content of each entry of a section.
pub(crate) fn entries<'a>(
    node: Option<&'a Node>,
    what: &'static str,
    sink: &Sink,
) -> impl Iterator<Item = (&'a str, &'a Place, &'a Node)> + use<'a> {
    let entries: Vec<_> = node
        .into_iter()
        .flat_map(|node| fields::named(node, what, sink))
        .map(|(name, entry)| (name, &entry.key, &entry.node))
        .collect();
    entries.into_iter()
}
