//! Includes and profiles: several trees become one.

use std::path::Path;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, choices};
use crate::file::ReadText;
use crate::grammar::{INCLUDED, PROFILE};
use crate::tree::{self, Entry, Node, Table, Value};

/// The sections that are lists.
const LISTS: &[&str] = &["step", "view", "report"];

/// How many files one file may include.
const MOST_INCLUDES: usize = 64;

/// Adds what the `include` files hold. `dir` is the folder of the pipeline file.
pub(crate) fn includes(mut root: Node, dir: &Path, read_text: &ReadText, sink: &Sink) -> Node {
    let Some(entry) = root.table().and_then(|table| table.get("include")) else {
        return root;
    };
    let list = entry.node.clone();
    let paths = fields::texts(&list, "include", sink).unwrap_or_default();
    if paths.len() > MOST_INCLUDES {
        sink.push(
            Fault::new(format!("a file includes at most {MOST_INCLUDES} files"))
                .at(&list.place)
                .hint("put what belongs together into one file"),
        );
    }
    for text in paths.into_iter().take(MOST_INCLUDES) {
        let path = dir.join(text.text);
        let included = read_text(&path)
            .map_err(|why| {
                Fault::new(format!("'{}' cannot be included: {why}", text.text))
                    .at(text.place)
                    .hint("paths are relative to the folder of the pipeline file")
            })
            .and_then(|content| tree::parse(&path, &content));
        match included {
            Ok(included) => include(&mut root, &included, sink),
            Err(fault) => sink.push(fault),
        }
    }
    root
}

fn include(root: &mut Node, included: &Node, sink: &Sink) {
    Fields::open(included, &INCLUDED, sink);
    let (Value::Table(target), Some(source)) = (&mut root.value, included.table()) else {
        return;
    };
    for (section, entry) in source.iter().filter(|(key, _)| INCLUDED.keys.contains(key)) {
        let Some(known) = target.0.get_mut(section) else {
            target.0.insert(section.to_owned(), entry.clone());
            continue;
        };
        if LISTS.contains(&section) {
            // They come behind those that are there; one may be written as a table, [step], on either side.
            let all = known.node.elements().iter().chain(entry.node.elements());
            known.node.value = Value::Array(all.cloned().collect());
            continue;
        }
        // What is no table in the file itself is a fault when it is read.
        let Value::Table(known) = &mut known.node.value else {
            continue;
        };
        let Some(added) = entry.node.table() else {
            sink.push(
                Fault::new(format!("`{section}` is no table"))
                    .at(&entry.key)
                    .hint(format!(
                        "write [{section}.NAME], as the including file does"
                    )),
            );
            continue;
        };
        for (name, entry) in added.iter() {
            if let Some(first) = known.get(name) {
                sink.push(
                    Fault::new(format!("{section} '{name}' is also defined at {}", first.key))
                        .at(&entry.key)
                        .hint("rename or remove one of them; a [profile.NAME] may override, an include may not"),
                );
            } else {
                known.0.insert(name.to_owned(), entry.clone());
            }
        }
    }
}

/// Merges the chosen profile over the file and takes the section out of it.
pub(crate) fn profile(mut root: Node, name: Option<&str>, sink: &Sink) -> Node {
    let Value::Table(table) = &mut root.value else {
        return root;
    };
    let section = table.0.shift_remove("profile").map(|entry| entry.node);
    if let Some(section) = &section {
        for (_, entry) in fields::named(section, "profile", sink) {
            Fields::open(&entry.node, &PROFILE, sink);
        }
    }
    let Some(name) = name else {
        return root;
    };
    let profiles = section.as_ref().and_then(Node::table);
    let Some(chosen) = profiles.and_then(|profiles| profiles.get(name)) else {
        let names = profiles
            .into_iter()
            .flat_map(Table::iter)
            .map(|(name, _)| name);
        sink.push(
            Fault::new(format!("there is no profile '{name}'")).hint(choices(
                "the profiles are",
                name,
                names,
            )),
        );
        return root;
    };
    for (key, entry) in chosen.node.table().into_iter().flat_map(Table::iter) {
        if PROFILE.keys.contains(&key) {
            overlay(table, key, entry);
        }
    }
    root
}

/// Tables are merged key by key; anything else is replaced.
fn overlay(target: &mut Table, key: &str, entry: &Entry) {
    if let Some(known) = target.0.get_mut(key)
        && let (Value::Table(known), Some(added)) = (&mut known.node.value, entry.node.table())
    {
        for (key, entry) in added.iter() {
            overlay(known, key, entry);
        }
    } else {
        target.0.insert(key.to_owned(), entry.clone());
    }
}
