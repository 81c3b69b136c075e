//! Reads the tables of a file: takes known keys, refuses unknown ones, checks types, and goes on
//! after a fault.

use std::time::Duration;

use crate::fault::{Fault, Sink};
use crate::literals;
use crate::place::Place;
use crate::tree::{Entry, Node, Table, Value};

/// The keys of one kind of table. The reader and the JSON Schema share these lists.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The name of its definition in the JSON Schema.
    pub(crate) name: &'static str,
    /// What messages call it, with an article.
    pub(crate) what: &'static str,
    /// All keys it may have.
    pub(crate) keys: &'static [&'static str],
}

/// A table being read.
pub(crate) struct Fields<'a> {
    table: &'a Table,
    place: &'a Place,
    keys: &'static Keys,
    sink: &'a Sink,
}

/// A string and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: &'a Place,
    /// See [`Node::guess`].
    pub(crate) guess: bool,
}

impl<'a> Fields<'a> {
    /// Opens a table and reports every key that is none of `keys`.
    pub(crate) fn open(node: &'a Node, keys: &'static Keys, sink: &'a Sink) -> Option<Fields<'a>> {
        let Some(table) = node.table() else {
            sink.push(
                Fault::new(format!("{} is a table, not {}", keys.what, node.kind()))
                    .at(&node.place)
                    .hint(format!("its keys are: {}", keys.keys.join(", "))),
            );
            return None;
        };
        for (key, entry) in table.iter() {
            if !keys.keys.contains(&key) {
                sink.push(
                    Fault::new(format!("{} has no key `{key}`", keys.what))
                        .at(&entry.key)
                        .hint(choices("its keys are", key, keys.keys.iter().copied())),
                );
            }
        }
        Some(Fields {
            table,
            place: &node.place,
            keys,
            sink,
        })
    }

    pub(crate) fn sink(&self) -> &'a Sink {
        self.sink
    }

    pub(crate) fn place(&self) -> &'a Place {
        self.place
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        debug_assert!(
            self.keys.keys.contains(&key),
            "{key} is no key of {}",
            self.keys.name
        );
        self.table.get(key)
    }

    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key that must be there.
    pub(crate) fn need(&self, key: &str, hint: &str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() {
            self.fault(
                self.place,
                format!("{} needs `{key}`", self.keys.what),
                hint,
            );
        }
        node
    }

    /// The one of several keys that is there; faults if none or more than one is.
    pub(crate) fn one_of(
        &self,
        keys: &[&'static str],
        hint: &str,
    ) -> Option<(&'static str, &'a Entry)> {
        let mut found = keys
            .iter()
            .filter_map(|key| self.entry(key).map(|entry| (*key, entry)));
        let Some(first) = found.next() else {
            self.fault(
                self.place,
                format!("{} needs one of `{}`", self.keys.what, keys.join("`, `")),
                hint,
            );
            return None;
        };
        for (key, entry) in found {
            self.fault(
                &entry.key,
                format!(
                    "{} has either `{}` or `{key}`, not both",
                    self.keys.what, first.0
                ),
                hint,
            );
        }
        Some(first)
    }

    /// Reports keys that mean nothing here.
    pub(crate) fn refuse(&self, keys: &[&str], why: &str, hint: &str) {
        for key in keys {
            if let Some(entry) = self.entry(key) {
                self.fault(&entry.key, format!("`{key}` {why}"), hint);
            }
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<Text<'a>> {
        text(self.node(key)?, key, self.sink)
    }

    pub(crate) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(|text| text.text.to_owned())
    }

    pub(crate) fn need_text(&self, key: &str, hint: &str) -> Option<Text<'a>> {
        text(self.need(key, hint)?, key, self.sink)
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        match node.value {
            Value::Bool(flag) => Some(flag),
            _ => {
                wrong_kind(node, key, "true or false", self.sink);
                None
            }
        }
    }

    /// A whole number from 1.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        let node = self.node(key)?;
        let count = match node.value {
            Value::Int(number) => u64::try_from(number).ok().filter(|count| *count > 0),
            _ => {
                wrong_kind(node, key, "an integer", self.sink);
                return None;
            }
        };
        if count.is_none() {
            self.fault(
                &node.place,
                format!("`{key}` must be 1 or more"),
                format!("leave `{key}` out for no limit"),
            );
        }
        count
    }

    /// A list of strings.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<Text<'a>>> {
        texts(self.node(key)?, key, self.sink)
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        let text = self.text(key)?;
        let duration = literals::duration(text.text);
        if duration.is_none() && !text.guess {
            self.fault(
                text.place,
                format!("'{}' is not a duration", text.text),
                "write whole numbers with ms, s, m, h or d: \"500ms\", \"10m\", \"1h30m\"",
            );
        }
        duration
    }

    pub(crate) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        choice(self.text(key)?, key, choices, self.sink)
    }

    pub(crate) fn fault(&self, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.sink.push(Fault::new(message).at(place).hint(hint));
    }
}

/// One of a fixed set of words.
pub(crate) fn choice<T: Copy>(
    text: Text<'_>,
    what: &str,
    all: &[(&str, T)],
    sink: &Sink,
) -> Option<T> {
    let found = all.iter().find(|(name, _)| *name == text.text);
    if found.is_none() && !text.guess {
        sink.push(
            Fault::new(format!("`{what}` cannot be '{}'", text.text))
                .at(text.place)
                .hint(choices(
                    "it is one of",
                    text.text,
                    all.iter().map(|(name, _)| *name),
                )),
        );
    }
    found.map(|(_, value)| *value)
}

/// A string.
pub(crate) fn text<'a>(node: &'a Node, what: &str, sink: &Sink) -> Option<Text<'a>> {
    match &node.value {
        Value::String(text) => Some(Text {
            text,
            place: &node.place,
            guess: node.guess,
        }),
        _ => {
            wrong_kind(node, what, "a string", sink);
            None
        }
    }
}

/// A list of strings.
pub(crate) fn texts<'a>(node: &'a Node, what: &str, sink: &Sink) -> Option<Vec<Text<'a>>> {
    match &node.value {
        Value::Array(nodes) => {
            let texts: Vec<_> = nodes.iter().map(|node| text(node, what, sink)).collect();
            texts.into_iter().collect()
        }
        _ => {
            wrong_kind(node, what, "a list of strings", sink);
            None
        }
    }
}

/// A table whose keys the author chooses.
pub(crate) fn named<'a>(
    node: &'a Node,
    what: &str,
    sink: &Sink,
) -> impl Iterator<Item = (&'a str, &'a Entry)> + use<'a> {
    if node.table().is_none() {
        wrong_kind(node, what, "a table", sink);
    }
    node.table().into_iter().flat_map(Table::iter)
}

/// Reports a value of the wrong type.
pub(crate) fn wrong_kind(node: &Node, what: &str, expected: &str, sink: &Sink) {
    let hint = match (&node.value, expected) {
        (Value::Int(number), "a string") => format!("write it in quotes: \"{number}\""),
        (Value::String(text), "a list of strings") => format!("write it in brackets: [\"{text}\"]"),
        (Value::String(text), "an integer") if text.parse::<i64>().is_ok() => {
            format!("write it without quotes: {text}")
        }
        (Value::String(text), "true or false") if text.parse::<bool>().is_ok() => {
            format!("write it without quotes: {text}")
        }
        _ => format!("give it {expected}"),
    };
    sink.push(
        Fault::new(format!("`{what}` must be {expected}, not {}", node.kind()))
            .at(&node.place)
            .hint(hint),
    );
}

/// How many choices a hint lists.
const LISTED: usize = 24;

/// A hint that lists what could be meant, the likeliest first.
pub(crate) fn choices<'a>(lead: &str, wrong: &str, all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    if all.is_empty() {
        return format!("{lead}: (none)");
    }
    let listed: Vec<&str> = all.iter().copied().take(LISTED).collect();
    let more = if all.len() > LISTED { ", …" } else { "" };
    let list = format!("{lead}: {}{more}", listed.join(", "));
    match nearest(wrong, &all) {
        Some(near) => format!("did you mean '{near}'? {list}"),
        None => list,
    }
}

/// The choice that a slip of the hand could have made into `wrong`.
fn nearest<'a>(wrong: &str, all: &[&'a str]) -> Option<&'a str> {
    // Distances cost the product of the lengths, and nobody mistypes a text this long.
    if wrong.len() > 64 {
        return None;
    }
    all.iter()
        .take(1_000)
        .map(|choice| (strsim::damerau_levenshtein(wrong, choice), *choice))
        .filter(|(distance, choice)| *distance <= (choice.len().max(wrong.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}
