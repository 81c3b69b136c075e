//! `mask`: columns whose values are replaced, and how; and `declassify`.

use std::ops::RangeInclusive;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::Context;
use crate::grammar::plugin_stage::secret_source;
use crate::model::{ColumnMask, MaskMethod};
use crate::tree::{Node, Value};

pub(crate) const MASK: Keys = Keys {
    name: "mask",
    what: "a mask",
    keys: &["method", "key", "vault", "keep"],
};

pub(crate) const METHODS: &[(&str, Method)] = &[
    ("hmac", Method::Hmac),
    ("token", Method::Token),
    ("null", Method::Null),
    ("year", Method::Year),
    ("partial", Method::Partial),
];

/// A method by its name, without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Hmac,
    Token,
    Null,
    Year,
    Partial,
}

/// How many characters may stay: with more it is no mask.
const KEPT: RangeInclusive<u8> = 1..=64;

/// The masks of a stage by column, in the order of the file.
pub(crate) fn masks(node: &Node, context: &Context<'_>) -> Option<Vec<ColumnMask>> {
    let hint = "write mask = { ssn = { method = \"null\" } }, with a line for each column";
    let entries: Vec<_> = fields::named(node, "mask", context.sink).collect();
    if entries.is_empty() {
        if node.table().is_some() {
            let fault = Fault::new("this mask has no column");
            context.sink.push(fault.at(&node.place).hint(hint));
        }
        return None;
    }
    let masks: Vec<_> = entries
        .into_iter()
        .map(|(column, entry)| {
            Some(ColumnMask {
                column: column.to_owned(),
                method: method(&entry.node, context)?,
                place: entry.key.clone(),
            })
        })
        .collect();
    masks.into_iter().collect()
}

fn method(node: &Node, context: &Context<'_>) -> Option<MaskMethod> {
    let fields = Fields::open(node, &MASK, context.sink)?;
    let hint = "write method = \"hmac\", \"token\", \"null\", \"year\" or \"partial\"";
    let text = fields.need_text("method", hint)?;
    let method = fields::choice(text, "method", METHODS, context.sink)?;
    for (key, of) in [
        ("key", Method::Hmac),
        ("vault", Method::Token),
        ("keep", Method::Partial),
    ] {
        if method != of {
            let name = METHODS.iter().find(|(_, method)| *method == of);
            let name = name.map(|(name, _)| *name).unwrap_or_default();
            let why = format!("belongs to method '{name}'");
            fields.refuse(&[key], &why, "leave it out, or change the method");
        }
    }
    match method {
        Method::Null => Some(MaskMethod::Null),
        Method::Year => Some(MaskMethod::Year),
        Method::Hmac => {
            let hint = "write key = { env = \"VARIABLE\" }, or { file = \"path\" }";
            let node = fields.need("key", hint)?;
            if let Value::String(_) = &node.value {
                let fault = Fault::new("a key is never written into the file");
                context.sink.push(fault.at(&node.place).hint(hint).secret());
                return None;
            }
            secret_source(node, context.sink).map(|key| MaskMethod::Hmac { key })
        }
        Method::Token => {
            let hint = "write vault = \"zone.table\", in a zone of its own";
            let text = fields.need_text("vault", hint)?;
            let vault = context.table_name(text)?;
            if vault.table.ends_with("__quarantine") {
                let why = "names that end with __quarantine are taken";
                fields.fault(text.place, why, "give the vault another name");
                return None;
            }
            Some(MaskMethod::Token { vault })
        }
        Method::Partial => {
            let hint = "write how many characters at the end stay, such as keep = 4";
            let node = fields.need("keep", hint)?;
            let Value::Int(keep) = node.value else {
                fields::wrong_kind(node, "keep", "an integer", context.sink);
                return None;
            };
            let Some(keep) = u8::try_from(keep).ok().filter(|keep| KEPT.contains(keep)) else {
                let why = format!("`keep` cannot be {keep}");
                fields.fault(
                    &node.place,
                    why,
                    "write a number from 1 to 64; method \"null\" keeps nothing",
                );
                return None;
            };
            Some(MaskMethod::Partial { keep })
        }
    }
}

/// The columns that somebody says are not sensitive any more.
pub(crate) fn declassified(node: &Node, context: &Context<'_>) -> Option<Vec<String>> {
    let texts = fields::texts(node, "declassify", context.sink)?;
    let hint = "name columns of the rows so far: declassify = [\"patients\"]";
    let blank = |text: &Text<'_>| text.text.is_empty() && !text.guess;
    if texts.is_empty() || texts.iter().any(blank) {
        let fault = Fault::new("`declassify` names no column");
        context.sink.push(fault.at(&node.place).hint(hint));
        return None;
    }
    Some(texts.iter().map(|text| text.text.to_owned()).collect())
}

/// Labels of sensitive data: a word, or a list of words.
pub(crate) fn labels(fields: &Fields<'_>, sink: &Sink) -> Vec<String> {
    let Some(node) = fields.node("sensitivity") else {
        return Vec::new();
    };
    let texts = match &node.value {
        Value::String(_) => fields::text(node, "sensitivity", sink).map(|text| vec![text]),
        _ => fields::texts(node, "sensitivity", sink),
    };
    let texts = texts.unwrap_or_default();
    for text in &texts {
        let fine = !text.text.trim().is_empty()
            && text.text.len() <= 64
            && !text.text.contains(|c: char| c.is_control() || c == ',');
        if !fine && !text.guess {
            fields.fault(
                text.place,
                "a label of sensitive data is a word of at most 64 characters, without commas",
                "write sensitivity = \"phi\", or a list: [\"phi\", \"pii\"]",
            );
        }
    }
    texts.iter().map(|text| text.text.to_owned()).collect()
}
