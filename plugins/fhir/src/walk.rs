//! One reading of a resource, which takes what all paths lead to.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json;
use crate::path::{Node, Tree};

/// What the path of a column leads to.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    One(Option<Cow<'a, str>>),
    Many(Vec<Option<Cow<'a, str>>>),
}

/// The most values of one column in one resource: what takes a few bytes in the file takes several
/// times as many here.
pub(crate) const MAX_VALUES: usize = 1_000_000;

impl<'a> Found<'a> {
    /// Whether a path led to more values than were taken.
    pub(crate) fn is_too_long(&self) -> bool {
        matches!(self, Self::Many(values) if values.len() > MAX_VALUES)
    }

    /// Takes one of several values.
    fn push(&mut self, value: Option<Cow<'a, str>>) {
        if let Self::Many(values) = self
            && values.len() <= MAX_VALUES
        {
            values.push(value);
        }
    }
}

/// What each column's path leads to in a resource.
pub(crate) fn find<'a>(tree: &Tree, resource: &'a str) -> serde_json::Result<Vec<Found<'a>>> {
    let found = tree.lists.iter().map(|is_list| match is_list {
        true => Found::Many(Vec::new()),
        false => Found::One(None),
    });
    let mut found: Vec<Found<'a>> = found.collect();
    read(&tree.root, &mut found, resource)?;
    Ok(found)
}

fn read<'a>(node: &Node, found: &mut [Found<'a>], json: &'a str) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_any(Walk { node, found })
}

/// At a value to which some path leads.
struct Walk<'n, 'f, 'a> {
    node: &'n Node,
    found: &'f mut [Found<'a>],
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        if self.node.columns.is_empty() {
            return value.deserialize_any(self);
        }
        let json = <&RawValue>::deserialize(value)?.get();
        self.take(json).map_err(D::Error::custom)
    }
}

impl<'de> Walk<'_, '_, 'de> {
    /// Takes a value as text, and what other paths lead to in it.
    fn take(self, json: &'de str) -> serde_json::Result<()> {
        let Self { node, found } = self;
        for column in &node.columns {
            let text = json::text(json)?;
            match (found.get_mut(*column), text) {
                (Some(Found::One(value)), text) => *value = text,
                // Of null, `each` sees that nothing was found.
                (Some(many), Some(text)) => many.push(Some(text)),
                (Some(Found::Many(_)) | None, _) => {}
            }
        }
        match node.is_leaf() {
            true => Ok(()),
            false => read(node, found, json),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { node, found } = self;
        while let Some(node) = map.next_key_seed(Key(node))? {
            match node {
                Some(node) => map.next_value_seed(Walk { node, found })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { node, found } = self;
        let mut number = 0;
        while let Some(()) = items.next_element_seed(Item {
            node,
            number,
            found,
        })? {
            number += 1;
        }
        Ok(())
    }

    // Paths that lead further than the value goes find nothing.

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// An item of an array in which some path goes on.
struct Item<'n, 'f, 'a> {
    node: &'n Node,
    number: usize,
    found: &'f mut [Found<'a>],
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        let Self {
            node,
            number,
            found,
        } = self;
        let one = node.items.iter().find(|(known, _)| *known == number);
        match (one, node.all.as_deref()) {
            (None, None) => IgnoredAny::deserialize(value).map(drop),
            (Some((_, node)), None) => Walk { node, found }.deserialize(value),
            (None, Some(all)) => each(all, found, |found| {
                Walk { node: all, found }.deserialize(value)
            }),
            (Some((_, one)), Some(all)) => {
                let json = <&RawValue>::deserialize(value)?.get();
                Walk { node: one, found }
                    .take(json)
                    .map_err(D::Error::custom)?;
                let all = each(all, found, |found| Walk { node: all, found }.take(json));
                all.map_err(D::Error::custom)
            }
        }
    }
}

/// Reads an item of which columns take each, and leaves null for those that find nothing in it, so
/// that the lists of several columns line up.
fn each<'a, E>(
    node: &Node,
    found: &mut [Found<'a>],
    read: impl FnOnce(&mut [Found<'a>]) -> Result<(), E>,
) -> Result<(), E> {
    let count = |found: &[Found<'a>], column: usize| match found.get(column) {
        Some(Found::Many(values)) => values.len(),
        _ => 0,
    };
    let before: Vec<usize> = node
        .each
        .iter()
        .map(|column| count(found, *column))
        .collect();
    read(found)?;
    for (column, before) in node.each.iter().zip(before) {
        if count(found, *column) == before
            && let Some(many) = found.get_mut(*column)
        {
            many.push(None);
        }
    }
    Ok(())
}

/// Where a key leads.
struct Key<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Key<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let mut keys = self.0.keys.iter();
        Ok(keys.find(|(known, _)| known == key).map(|(_, node)| node))
    }
}
