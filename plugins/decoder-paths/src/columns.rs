//! Columns as a configuration names them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use weir_plugin::Error;
use weir_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};

/// `{ name = "path", … }`, in the order written. A name that is written twice is still there
/// twice, which a map would not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<(String, String)>);

impl Columns {
    /// The names, and what `parse` makes of each path. `fixed` are the names of the columns that
    /// the decoder gives besides; `path` is how a path is written.
    ///
    /// # Errors
    /// [`Error::Config`] for no columns, a name that cannot be, and a path that `parse` refuses.
    pub fn parse<P>(
        self,
        fixed: &[&str],
        path: &str,
        parse: impl Fn(&str) -> Option<P>,
    ) -> Result<Vec<(String, P)>, Error> {
        if self.0.is_empty() {
            return Err(Error::config(format!(
                "`columns` names no column\nhint: write `columns = {{ name = \"path\" }}`, where a path is {path}; or leave `columns` out"
            )));
        }
        let mut parsed: Vec<(String, P)> = Vec::with_capacity(self.0.len());
        for (name, text) in self.0 {
            let fault = if name.is_empty() {
                Some("a column has an empty name\nhint: write `name = \"path\"`".to_owned())
            } else if fixed.contains(&name.as_str()) {
                Some(format!(
                    "the decoder itself gives a column `{name}`\nhint: give yours another name; taken are {}",
                    fixed.join(", ")
                ))
            } else if parsed.iter().any(|(known, _)| *known == name) {
                Some(format!(
                    "two columns are named `{name}`\nhint: give one of them another name"
                ))
            } else {
                None
            };
            if let Some(fault) = fault {
                return Err(Error::config(fault));
            }
            let Some(told) = parse(&text) else {
                return Err(Error::config(format!(
                    "column `{name}` has `{text}` as its path\nhint: a path is {path}"
                )));
            };
            parsed.push((name, told));
        }
        Ok(parsed)
    }
}

/// The most bytes of one piece of a file: `asked`, or else `usual`.
///
/// # Errors
/// [`Error::Config`] where that is nothing, or more than a component can hold.
pub fn max_bytes(asked: Option<u64>, usual: usize) -> Result<usize, Error> {
    const MOST: u64 = 1 << 30;
    match asked {
        None => Ok(usual),
        Some(asked) if (1..=MOST).contains(&asked) => usize::try_from(asked).map_err(Error::config),
        Some(_) => Err(Error::config(format!(
            "`max_bytes` is a number of bytes from 1 to {MOST}\nhint: leave it out for {usual}"
        ))),
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("columns such as { name = \"path\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Columns(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, String>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use weir_plugin::serde_json;

    use super::*;

    fn parse(columns: &str) -> Result<Vec<(String, u8)>, String> {
        let columns: Columns = serde_json::from_str(columns).unwrap();
        let parsed = columns.parse(&["message"], "a number", |path| path.parse().ok());
        parsed.map_err(|error| error.to_string())
    }

    #[test]
    fn columns_keep_the_order_they_are_written_in() {
        let parsed = parse(r#"{ "z": "1", "a": "2" }"#).unwrap();
        assert_eq!(parsed, [("z".to_owned(), 1), ("a".to_owned(), 2)]);
    }

    #[test]
    fn what_is_wrong_with_columns_is_said() {
        for (columns, says) in [
            ("{}", "names no column"),
            (r#"{ "": "1" }"#, "an empty name"),
            (
                r#"{ "message": "1" }"#,
                "the decoder itself gives a column `message`",
            ),
            (r#"{ "a": "1", "a": "2" }"#, "two columns are named `a`"),
            (
                r#"{ "a": "x" }"#,
                "column `a` has `x` as its path\nhint: a path is a number",
            ),
        ] {
            let error = parse(columns).unwrap_err();
            assert!(error.starts_with("config: "), "{error}");
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_bound_is_some_bytes_and_not_too_many() {
        assert_eq!(max_bytes(None, 7).unwrap(), 7);
        assert_eq!(max_bytes(Some(1), 7).unwrap(), 1);
        assert!(max_bytes(Some(0), 7).is_err());
        assert!(max_bytes(Some(u64::MAX), 7).is_err());
    }
}
