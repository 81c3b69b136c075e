//! The types of columns as text: `int64`, `decimal(10,2)`, `list<struct<code: string>>`.

use std::str::FromStr;

use crate::fields::choices;
use crate::model::DataType;

/// A text that is no type.
pub(crate) struct BadType {
    pub(crate) fragment: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

const PLAIN: &[(&str, DataType)] = &[
    ("bool", DataType::Bool),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("string", DataType::String),
    ("binary", DataType::Binary),
    ("date", DataType::Date),
    ("time", DataType::Time),
    ("timestamp", DataType::Timestamp),
    ("timestamptz", DataType::TimestampTz),
];

/// Types nested deeper than this are refused: they are read by recursion.
const DEEPEST: usize = 16;

/// A type as files write it.
impl FromStr for DataType {
    type Err = String;

    fn from_str(text: &str) -> Result<DataType, String> {
        parse(text).map_err(|bad| format!("{}; {}", bad.message, bad.hint))
    }
}

pub(crate) fn parse(text: &str) -> Result<DataType, BadType> {
    parse_at(text.trim(), 0)
}

fn parse_at(text: &str, depth: usize) -> Result<DataType, BadType> {
    let bad = |message: String, hint: String| BadType {
        fragment: text.to_owned(),
        message,
        hint,
    };
    if depth > DEEPEST {
        return Err(bad(
            "this type is nested too deeply".to_owned(),
            format!("types nest at most {DEEPEST} times"),
        ));
    }
    if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == text) {
        return Ok(plain.clone());
    }
    if let Some(inner) = inside(text, "decimal(", ')') {
        let parts = inner.split_once(',');
        let parsed = parts.and_then(|(precision, scale)| {
            Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
        });
        return match parsed {
            Some((precision @ 1..=38u8, scale @ 0..=38i8)) if i16::from(scale) <= i16::from(precision) => {
                Ok(DataType::Decimal(precision, scale))
            }
            _ => Err(bad(
                format!("'{text}' is not a decimal type"),
                "write decimal(precision,scale) with a precision of 1 to 38 and a scale of 0 to the precision".to_owned(),
            )),
        };
    }
    if let Some(inner) = inside(text, "list<", '>') {
        return Ok(DataType::List(Box::new(parse_at(inner.trim(), depth + 1)?)));
    }
    if let Some(inner) = inside(text, "struct<", '>') {
        return struct_fields(inner, depth).unwrap_or_else(|| {
            Err(bad(
                format!("'{text}' is not a struct type"),
                "write struct<name: type, …> with distinct names".to_owned(),
            ))
        });
    }
    let names = PLAIN.iter().map(|(name, _)| *name);
    let names = names.chain(["decimal(p,s)", "list<type>", "struct<name: type, …>"]);
    Err(bad(
        format!("'{text}' is not a type"),
        choices("the types are", alias(text), names),
    ))
}

/// The fields of a struct; none if they are not a list of names with types.
fn struct_fields(inner: &str, depth: usize) -> Option<Result<DataType, BadType>> {
    let mut fields: Vec<(String, DataType)> = Vec::new();
    for part in split_top(inner) {
        let (name, written) = part.split_once(':')?;
        let name = name.trim();
        if name.is_empty() || fields.iter().any(|(known, _)| known == name) {
            return None;
        }
        match parse_at(written.trim(), depth + 1) {
            Ok(data_type) => fields.push((name.to_owned(), data_type)),
            Err(bad) => return Some(Err(bad)),
        }
    }
    Some(Ok(DataType::Struct(fields)))
}

/// What stands between `opening` and the closing character, if both do.
fn inside<'a>(text: &'a str, opening: &str, closing: char) -> Option<&'a str> {
    text.strip_prefix(opening)?.strip_suffix(closing)
}

/// Splits at the commas outside of brackets.
fn split_top(text: &str) -> Vec<&str> {
    let mut depth = 0_i64;
    text.split(|c: char| {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

/// What other systems call a type, for the hint.
fn alias(text: &str) -> &str {
    match text.to_ascii_lowercase().as_str() {
        "int" | "integer" | "bigint" | "long" => "int64",
        "text" | "varchar" | "str" | "utf8" => "string",
        "double" | "float" | "real" => "float64",
        "boolean" => "bool",
        "datetime" => "timestamp",
        "bytes" | "blob" => "binary",
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        assert_eq!(parse("int64").ok(), Some(DataType::Int64));
        assert_eq!(parse("decimal(10, 2)").ok(), Some(DataType::Decimal(10, 2)));
        assert_eq!(
            parse("list<struct<code: string, at: list<decimal(3,1)>>>").ok(),
            Some(DataType::List(Box::new(DataType::Struct(vec![
                ("code".to_owned(), DataType::String),
                (
                    "at".to_owned(),
                    DataType::List(Box::new(DataType::Decimal(3, 1)))
                ),
            ]))))
        );
    }

    #[test]
    fn not_types() {
        for wrong in [
            "",
            "int",
            "Int64",
            "decimal",
            "decimal(0,0)",
            "decimal(39,1)",
            "decimal(4,5)",
            "decimal(4,-1)",
            "list<>",
            "list<x>",
            "struct<>",
            "struct<a>",
            "struct<a: int64, a: int64>",
            "struct<a: foo>",
            "list<int64",
            "decimal(1,1",
            ">",
            "struct<a: int64,>",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let deep = format!("{}int8{}", "list<".repeat(100_000), ">".repeat(100_000));
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn the_hint_knows_other_names() {
        let bad = parse("varchar").err().unwrap();
        assert!(
            bad.hint.starts_with("did you mean 'string'?"),
            "{}",
            bad.hint
        );
    }
}
