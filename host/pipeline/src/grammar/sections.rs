//! The sections that name places: lake, stores, zones.

use std::collections::BTreeMap;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys};
use crate::grammar::mask::labels;
use crate::grammar::plugin_stage::secret_source;
use crate::literals;
use crate::model::{StoreSetting, StoreSettings, Zone};
use crate::place::Place;
use crate::tree::Node;

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

/// Where tables go if nothing else is said.
const DEFAULT_LAKE: &str = "./lake";

pub(crate) fn lake(node: Option<&Node>, sink: &Sink) -> String {
    let text = node
        .and_then(|node| Fields::open(node, &LAKE, sink))
        .and_then(|fields| non_empty(&fields, "url"));
    text.unwrap_or_else(|| DEFAULT_LAKE.to_owned())
}

/// What may not be written into a file, by what its name holds.
const SECRET_NAMES: [&str; 5] = ["secret", "token", "password", "key", "sas"];
/// What may all the same.
const PLAIN_NAMES: [&str; 4] = ["access_key_id", "key_id", "kms_key", "bucket_key"];

/// Settings of object stores. Which there are, the stores know; whether one is a secret, its name says.
pub(crate) fn stores(node: Option<&Node>, sink: &Sink) -> BTreeMap<String, StoreSettings> {
    entries(node, "store", sink)
        .map(|(url, key, node)| {
            let remote = url
                .split_once("://")
                .is_some_and(|(scheme, rest)| scheme != "file" && !rest.is_empty());
            if !remote {
                sink.push(
                    Fault::new(format!("a store cannot be named '{url}'"))
                        .at(key)
                        .hint(
                            "name it by the beginning of its URLs, such as [store.\"s3://bucket\"]",
                        ),
                );
            }
            let settings = fields::named(node, "store", sink)
                .filter_map(|(name, entry)| {
                    Some((name.to_owned(), store_setting(name, &entry.node, sink)?))
                })
                .collect();
            let place = key.clone();
            (url.to_owned(), StoreSettings { settings, place })
        })
        .collect()
}

fn store_setting(name: &str, node: &Node, sink: &Sink) -> Option<StoreSetting> {
    if node.table().is_some() {
        return secret_source(node, sink).map(StoreSetting::Secret);
    }
    let lower = name.to_ascii_lowercase();
    let is_secret = SECRET_NAMES.iter().any(|part| lower.contains(part))
        && !PLAIN_NAMES.iter().any(|part| lower.contains(part));
    let text = node.scalar_text();
    if is_secret || text.is_none() {
        let fault = match is_secret {
            true => Fault::new(format!(
                "`{name}` is a secret, which is never written into the file"
            ))
            .secret(),
            false => Fault::new(format!("`{name}` must be a text, a number, true or false")),
        };
        sink.push(fault.at(&node.place).hint(format!(
            "write {name} = {{ env = \"VARIABLE\" }}, or {{ file = \"path\" }}"
        )));
        return None;
    }
    text.map(StoreSetting::Plain)
}

/// All zones, faulty ones too: that a zone is faulty does not make its tables unknown.
pub(crate) fn zones(node: Option<&Node>, sink: &Sink) -> BTreeMap<String, Zone> {
    entries(node, "zone", sink)
        .map(|(name, key, node)| {
            // The lake's own records lie beside its zones, in `_weir`, and are tables of `weir`.
            if !literals::is_identifier(name) || name.starts_with('_') || name == "weir" {
                sink.push(
                    Fault::new(format!("a zone cannot be named '{name}'"))
                        .at(key)
                        .hint(
                            "use lower-case letters, digits and _, a letter first; `weir` is taken",
                        ),
                );
            }
            let fields = Fields::open(node, &ZONE, sink);
            let fields = fields.as_ref();
            let zone = Zone {
                url: fields.and_then(|fields| non_empty(fields, "url")),
                sensitivity: fields
                    .map(|fields| labels(fields, sink))
                    .unwrap_or_default(),
                retention: fields.and_then(|fields| fields.duration("retention")),
                place: key.clone(),
            };
            (name.to_owned(), zone)
        })
        .collect()
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
