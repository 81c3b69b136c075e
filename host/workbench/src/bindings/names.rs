//! Names of Rust for names of columns: for fields in snake case, for structs in Pascal case, each once.

use std::collections::BTreeSet;

use arrow::datatypes::Fields;

/// What no field can be called: keywords of all editions, and those that are reserved.
const KEYWORDS: &[&str] = &[
    "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// What a struct must not hide: what the generated code names, what is always in sight, and what
/// `weir_plugin::prelude` brings.
const IN_SIGHT: &[&str] = &[
    "Array",
    "ArrayRef",
    "AsArray",
    "AsMut",
    "AsRef",
    "Box",
    "ByRow",
    "Check",
    "Clone",
    "Context",
    "Copy",
    "Cow",
    "DataType",
    "Date",
    "Debug",
    "Decimal",
    "Decoder",
    "Default",
    "Deserialize",
    "Drop",
    "Emitter",
    "Eq",
    "Err",
    "Error",
    "Extend",
    "Field",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "FromRow",
    "Hash",
    "InRow",
    "Info",
    "Into",
    "IntoIterator",
    "IntoRow",
    "Iterator",
    "JsonSchema",
    "LocalTimestamp",
    "Microsecond",
    "Millisecond",
    "Nanosecond",
    "None",
    "Ok",
    "Option",
    "Ord",
    "OutRow",
    "Output",
    "PartialEq",
    "PartialOrd",
    "RecordBatch",
    "Rejection",
    "Result",
    "RowTransform",
    "Rows",
    "Rule",
    "Schema",
    "SchemaRef",
    "Second",
    "Self",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "Time",
    "Timestamp",
    "ToOwned",
    "ToString",
    "Transform",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "Verdict",
];

/// The names of structs that are taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// Takes a name as it is.
    pub(super) fn of_type(&mut self, name: &str) -> String {
        self.taken.insert(name.to_owned());
        name.to_owned()
    }

    /// A name for the struct of a column; `made`: of one that the plugin gives.
    pub(super) fn of_column(&mut self, column: &str, made: bool) -> String {
        let mut name = if made {
            String::from("Out")
        } else {
            String::new()
        };
        for word in words(column) {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name.insert_str(0, "Column");
        }
        let is_taken = |name: &str| IN_SIGHT.contains(&name) || self.taken.contains(name);
        let name = match is_taken(&name) {
            false => name,
            true => numbered(&name, is_taken),
        };
        self.taken.insert(name.clone());
        name
    }
}

/// For each field an identifier of its own; the column's name where it is one.
pub(super) fn of_fields(fields: &Fields) -> Vec<String> {
    let mut taken: BTreeSet<String> = fields
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| is_plain(name))
        .collect();
    fields
        .iter()
        .map(|field| {
            if is_plain(field.name()) {
                return field.name().clone();
            }
            let mut ident = words(field.name()).join("_");
            if !ident.starts_with(|first: char| first.is_ascii_lowercase()) {
                ident = match ident.is_empty() {
                    true => "column".to_owned(),
                    false => format!("column_{ident}"),
                };
            }
            if KEYWORDS.contains(&ident.as_str()) {
                ident.push('_');
            }
            if taken.contains(&ident) {
                let stem = ident.trim_end_matches('_').to_owned() + "_";
                ident = numbered(&stem, |name| taken.contains(name));
            }
            taken.insert(ident.clone());
            ident
        })
        .collect()
}

/// Whether a column's name is that of a field as it is: an identifier in snake case.
fn is_plain(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !name.contains("__")
        && !name.ends_with('_')
        && !KEYWORDS.contains(&name)
}

/// The first of `name2`, `name3` … that is free.
fn numbered(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut number = 2_u64;
    loop {
        let next = format!("{name}{number}");
        if !is_taken(&next) {
            return next;
        }
        number += 1;
    }
}

/// The words of a name in lower case: they end where a sign stands or a capital begins.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            let begins = !before.is_ascii_alphanumeric()
                || (c.is_ascii_uppercase() && before.is_ascii_lowercase());
            let lower = c.to_ascii_lowercase();
            match words.last_mut().filter(|_| !begins) {
                Some(word) => word.push(lower),
                None => words.push(lower.to_string()),
            }
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_end_at_signs_and_capitals() {
        for (name, expected) in [
            ("CLM_FROM_DT", "clm from dt"),
            ("providerName", "provider name"),
            ("zip code", "zip code"),
            ("__a__B2c", "a b2c"),
            ("2008", "2008"),
            ("Größe", "gr e"),
            ("—", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }
}
