//! An item has one text, wherever it comes from; and no line makes the converter panic.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use serde_json::Value;
use weir_dynamodb::{AttributeValue, DEEPEST, ExportLines, Wrong, item_json};

/// Numbers that are random, and the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn text(&mut self) -> String {
        let alphabet: Vec<char> = "aAbz09 _-./\\\"\u{0}\n\t\r\u{8}\u{c}\u{1f}\u{7f}åé√\u{2028}😀𝄞"
            .chars()
            .collect();
        (0..self.below(8))
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }

    fn digits(&mut self, most: usize) -> String {
        (0..=self.below(most))
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    fn number(&mut self) -> String {
        let sign = ["", "-", "+"][self.below(3)];
        let whole = self.digits(18);
        let fraction = match self.below(2) {
            0 => String::new(),
            _ => format!(".{}", self.digits(18)),
        };
        let power = match self.below(3) {
            0 => format!(
                "{}{}{}",
                ["e", "E"][self.below(2)],
                ["", "+", "-"][self.below(3)],
                self.below(100)
            ),
            _ => String::new(),
        };
        format!("{sign}{whole}{fraction}{power}")
    }

    fn blob(&mut self) -> Blob {
        Blob::new(
            (0..self.below(12))
                .map(|_| self.next() as u8)
                .collect::<Vec<_>>(),
        )
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| one(self)).collect()
    }

    fn value(&mut self, depth: usize) -> AttributeValue {
        match self.below(if depth == 0 { 8 } else { 12 }) {
            0 | 1 => AttributeValue::S(self.text()),
            2 => AttributeValue::N(self.number()),
            3 => AttributeValue::B(self.blob()),
            4 => AttributeValue::Bool(self.below(2) == 0),
            5 => AttributeValue::Null(true),
            6 => match self.below(2) {
                0 => AttributeValue::Ss(self.many(Self::text)),
                _ => AttributeValue::Ns(self.many(Self::number)),
            },
            7 => AttributeValue::Bs(self.many(Self::blob)),
            8 | 9 => AttributeValue::M(self.item(depth - 1)),
            _ => AttributeValue::L(self.many(|random| random.value(depth - 1))),
        }
    }

    fn item(&mut self, depth: usize) -> HashMap<String, AttributeValue> {
        let attributes = self.below(6);
        (0..attributes)
            .map(|_| (self.text(), self.value(depth)))
            .collect()
    }

    fn blanks(&mut self) -> &'static str {
        ["", "", "", " ", "\t", "\r", " \n "][self.below(7)]
    }

    /// A string of JSON, with escapes where they need not be.
    fn quoted(&mut self, text: &str) -> String {
        let mut json = String::from("\"");
        for character in text.chars() {
            let short = match character {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                _ => None,
            };
            let raw = character >= ' ' && character != '"' && character != '\\';
            match (self.below(4), short) {
                (0, _) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        json.push_str(&match self.below(2) {
                            0 => format!("\\u{unit:04x}"),
                            _ => format!("\\u{unit:04X}"),
                        });
                    }
                }
                (1, Some(short)) => json.push_str(short),
                _ if raw => json.push(character),
                (_, Some(short)) => json.push_str(short),
                _ => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            }
        }
        json + "\""
    }

    fn listed<T>(&mut self, values: &[T], mut one: impl FnMut(&mut Self, &T) -> String) -> String {
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("{}{}{}", self.blanks(), one(self, value), self.blanks()))
            .collect();
        format!("[{}]", values.join(","))
    }

    /// A value as DynamoDB's JSON.
    fn tagged(&mut self, value: &AttributeValue) -> String {
        use aws_smithy_types::base64::encode;

        let (tag, json) = match value {
            AttributeValue::S(text) => ("S", self.quoted(text)),
            AttributeValue::N(digits) => ("N", self.quoted(digits)),
            AttributeValue::B(blob) => ("B", self.quoted(&encode(blob))),
            AttributeValue::Bool(value) => ("BOOL", value.to_string()),
            AttributeValue::Null(value) => ("NULL", value.to_string()),
            AttributeValue::M(item) => ("M", self.attributes(item)),
            AttributeValue::L(values) => ("L", self.listed(values, Self::tagged)),
            AttributeValue::Ss(all) => ("SS", self.listed(all, |random, text| random.quoted(text))),
            AttributeValue::Ns(all) => ("NS", self.listed(all, |random, text| random.quoted(text))),
            AttributeValue::Bs(all) => (
                "BS",
                self.listed(all, |random, blob| random.quoted(&encode(blob))),
            ),
            other => panic!("{other:?} is not made here"),
        };
        format!(
            "{{{}\"{tag}\"{}:{}{json}{}}}",
            self.blanks(),
            self.blanks(),
            self.blanks(),
            self.blanks()
        )
    }

    fn attributes(&mut self, item: &HashMap<String, AttributeValue>) -> String {
        // A map's order is another each time.
        let attributes: Vec<_> = item
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}{}{}:{}{}",
                    self.blanks(),
                    self.quoted(name),
                    self.blanks(),
                    self.blanks(),
                    self.tagged(value)
                )
            })
            .collect();
        format!("{{{}}}", attributes.join(&format!("{},", self.blanks())))
    }
}

/// What plain JSON an item is, by another way.
fn plain(value: &AttributeValue) -> Value {
    use aws_smithy_types::base64::encode;

    let number = |text: &String| -> Value {
        let value: f64 = text.parse().unwrap();
        value.into()
    };
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(text) => number(text),
        AttributeValue::B(blob) => encode(blob).into(),
        AttributeValue::Bool(value) => (*value).into(),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::M(item) => item
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        AttributeValue::L(values) => values.iter().map(plain).collect(),
        AttributeValue::Ss(all) => all.iter().map(String::as_str).collect(),
        AttributeValue::Ns(all) => all.iter().map(number).collect(),
        AttributeValue::Bs(all) => all.iter().map(encode).collect(),
        other => panic!("{other:?} is not made here"),
    }
}

/// Compares numbers by what they are about.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-12
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn an_item_has_one_text_wherever_it_comes_from() {
    let mut random = Random(0x5eed_0001);
    let mut lines = ExportLines::new();
    for _ in 0..20_000 {
        let item = random.item(4);
        let line = format!(
            "{}{{{}\"Item\"{}:{}{}{}}}{}",
            random.blanks(),
            random.blanks(),
            random.blanks(),
            random.blanks(),
            random.attributes(&item),
            random.blanks(),
            random.blanks()
        );
        let (mut exported, mut scanned) = (Vec::new(), Vec::new());
        lines
            .convert(line.as_bytes(), &mut exported)
            .unwrap_or_else(|fault| panic!("{line}: {fault}"));
        item_json(&item, &mut scanned).unwrap();
        assert_eq!(exported, scanned, "{line}");
        let json: Value = serde_json::from_slice(&scanned).unwrap();
        assert!(alike(&json, &plain(&AttributeValue::M(item))), "{line}");
    }
}

#[test]
fn no_bytes_make_the_converter_panic() {
    let mut random = Random(0x5eed_0002);
    let mut lines = ExportLines::new();
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\"Item\"",
        "\"S\"",
        "\"N\"",
        "\"L\":[",
        "\"M\":{",
        "\"NULL\":true",
        "-",
        "1E",
        " ",
        "\u{0}",
        "å",
    ];
    let mut good = 0;
    for _ in 0..60_000 {
        let item = random.item(3);
        let mut line = format!("{{\"Item\":{}}}", random.attributes(&item)).into_bytes();
        for _ in 0..random.below(3) {
            let place = random.below(line.len() + 1);
            match random.below(4) {
                0 => line.truncate(place),
                1 if place < line.len() => line[place] = random.next() as u8,
                2 => {
                    let end = (place + random.below(6)).min(line.len());
                    line.drain(place..end);
                }
                _ => {
                    let piece = pieces[random.below(pieces.len())];
                    line.splice(place..place, piece.bytes());
                }
            }
            if line.is_empty() {
                break;
            }
        }
        let mut out = b"before".to_vec();
        match lines.convert(&line, &mut out) {
            Ok(()) => {
                serde_json::from_slice::<Value>(out.strip_prefix(b"before").unwrap()).unwrap();
                good += 1;
            }
            Err(fault) => {
                assert!(fault.at() <= line.len());
                assert_eq!(out, b"before");
            }
        }
    }
    assert!(
        (10_000..50_000).contains(&good),
        "{good} of 60,000 lines are good"
    );
}

#[test]
fn what_is_no_item_is_refused_on_both_ways() {
    let mut deepest = AttributeValue::S("x".to_owned());
    for _ in 0..DEEPEST {
        deepest = AttributeValue::L(vec![deepest]);
    }
    let written = |value: AttributeValue| {
        let item = HashMap::from([
            ("b".to_owned(), AttributeValue::Bool(true)),
            ("c".to_owned(), value),
        ]);
        let mut out = b"before".to_vec();
        let written = item_json(&item, &mut out);
        assert!(written.is_ok() || out == b"before");
        written
    };
    assert_eq!(written(deepest.clone()), Ok(()));
    assert_eq!(
        written(AttributeValue::L(vec![deepest.clone()])),
        Err(Wrong::Deep)
    );
    let map = HashMap::from([("a".to_owned(), deepest)]);
    assert_eq!(written(AttributeValue::M(map)), Err(Wrong::Deep));
    assert_eq!(
        written(AttributeValue::N("one".to_owned())),
        Err(Wrong::NotNumber)
    );
    assert_eq!(
        written(AttributeValue::Ns(vec!["1".to_owned(), String::new()])),
        Err(Wrong::NotNumber)
    );
    assert_eq!(written(AttributeValue::Null(false)), Err(Wrong::OtherType));
}
