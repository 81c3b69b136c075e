//! JSON as text: what of it is needed is found without building a tree of the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Fault, NOT_A_RESOURCE, NOT_JSON};

/// The text of some keys of an object, in the order asked for. Of a key that is written twice it is
/// the last.
pub(crate) fn pick<'a, const N: usize>(
    object: &'a str,
    keys: [&str; N],
) -> Result<[Option<&'a str>; N], Fault> {
    struct Pick<'k, const N: usize>([&'k str; N]);
    impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
        type Value = [Option<&'de str>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut picked = [None; N];
            while let Some(key) = map.next_key_seed(OneOf(&self.0))? {
                match key.and_then(|key| picked.get_mut(key)) {
                    Some(place) => *place = Some(map.next_value::<&RawValue>()?.get()),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(picked)
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    let picked = json.deserialize_map(Pick(keys)).and_then(|picked| {
        json.end()?;
        Ok(picked)
    });
    picked.map_err(|error| fault(&error, object))
}

/// Calls `take` for the text of each item of an array, until it says false.
pub(crate) fn each<'a>(array: &'a str, take: impl FnMut(&'a str) -> bool) -> Result<(), Fault> {
    struct Each<F>(F);
    impl<'de, F: FnMut(&'de str) -> bool> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
            let mut goes_on = true;
            while let Some(item) = items.next_element::<&RawValue>()? {
                goes_on = goes_on && (self.0)(item.get());
            }
            Ok(())
        }
    }
    if array == "null" {
        return Ok(());
    }
    let mut json = serde_json::Deserializer::from_str(array);
    let read = json.deserialize_seq(Each(take));
    read.map_err(|error| fault(&error, array))
}

/// What is wrong: JSON of another kind, or no JSON.
fn fault(error: &serde_json::Error, text: &str) -> Fault {
    let is_json = || serde_json::from_str::<IgnoredAny>(text).is_ok();
    match error.is_data() && is_json() {
        true => (
            &NOT_A_RESOURCE,
            "it is not an object, or its entries no list",
        ),
        false => NOT_JSON,
    }
}

/// Where a key is among those asked for.
struct OneOf<'k, const N: usize>(&'k [&'k str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for OneOf<'_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for OneOf<'_, N> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == key))
    }
}

/// How many bytes into `whole` its part begins.
pub(crate) fn place(whole: &str, part: &str) -> u64 {
    let bytes = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    bytes as u64
}

/// A value as text: strings as they are, numbers and booleans as they are written, objects and
/// arrays as [`compact`] writes them, null as none.
pub(crate) fn text(value: &str) -> serde_json::Result<Option<Cow<'_, str>>> {
    match value.as_bytes() {
        [b'"', ..] => string(value).map(Some),
        [b'{' | b'[', ..] => compact(value).map(|text| Some(text.into())),
        b"null" => Ok(None),
        _ => Ok(Some(value.into())),
    }
}

/// What a string literal says.
fn string(literal: &str) -> serde_json::Result<Cow<'_, str>> {
    let plain = literal
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match plain.filter(|plain| !plain.contains('\\')) {
        Some(plain) => Ok(plain.into()),
        None => serde_json::from_str::<String>(literal).map(Cow::Owned),
    }
}

/// JSON without blanks between its parts and with characters escaped only where they must be, as
/// `serde_json` writes it. Numbers stay as they are written.
pub(crate) fn compact(json: &str) -> serde_json::Result<String> {
    let mut compact = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((between, _)) = rest.split_once('"') {
        compact.extend(between.split_ascii_whitespace());
        let begun = rest.get(between.len()..).unwrap_or_default();
        let (literal, behind) = begun
            .split_at_checked(literal_length(begun.as_bytes()))
            .unwrap_or((begun, ""));
        match literal.contains('\\') {
            true => compact.push_str(&serde_json::to_string(&string(literal)?)?),
            false => compact.push_str(literal),
        }
        rest = behind;
    }
    compact.extend(rest.split_ascii_whitespace());
    Ok(compact)
}

/// How long the string literal is with which these bytes begin.
fn literal_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(ahead) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += ahead + 1;
        match bytes.get(at - 1) {
            Some(b'"') => return at,
            // What is escaped ends nothing.
            _ => at += 1,
        }
    }
    bytes.len()
}
