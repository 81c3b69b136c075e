//! Keys of an object that are not declared.

use std::fmt;

use arrow::datatypes::Schema;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The first key of the object that `record` is, which `schema` does not have and which has a value; with
/// `or_null`, null is one too. None also where the record is something else.
pub(super) fn undeclared(record: &[u8], schema: &Schema, or_null: bool) -> Option<String> {
    let keys = Keys { schema, or_null };
    let mut text = serde_json::Deserializer::from_slice(record);
    keys.deserialize(&mut text).ok().flatten()
}

struct Keys<'a> {
    schema: &'a Schema,
    or_null: bool,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Self::Value, D::Error> {
        text.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let value: Option<IgnoredAny> = map.next_value()?;
            let counts = self.or_null || value.is_some();
            if found.is_none() && counts && self.schema.field_with_name(&key).is_err() {
                found = Some(key);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn keys_are_compared_as_what_they_stand_for() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        for (text, with_value, with_null) in [
            (r#"{"a":1}"#, None, None),
            (r#" {"\u0061":{"b":2}} "#, None, None),
            (r#"{"a":1,"b":null,"c":[]}"#, Some("c"), Some("b")),
            (r#"{"b":null}"#, None, Some("b")),
            (r#"{"x\ty":false}"#, Some("x\ty"), Some("x\ty")),
            ("[1]", None, None),
            (r#"{"b":1"#, None, None),
        ] {
            let found = |or_null| undeclared(text.as_bytes(), &schema, or_null);
            assert_eq!(found(false).as_deref(), with_value, "{text}");
            assert_eq!(found(true).as_deref(), with_null, "{text}");
        }
    }
}
