//! Judges National Provider Identifiers: ten digits, the last of which is the check digit of the
//! others. Null passes.

use weir_plugin::kernels::rows_breaking;
use weir_plugin::prelude::*;

const NPI: Rule = Rule {
    name: "npi",
    description: "An NPI has ten digits, of which the last is the Luhn check digit behind the prefix 80840.",
};

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The columns that hold an NPI, as text.
    columns: Vec<String>,
}

/// Each column that is judged: where it is, and its name.
struct Npi(Vec<(usize, String)>);

impl Check for Npi {
    type Config = Config;

    const INFO: Info = Info {
        name: "npi",
        version: env!("CARGO_PKG_VERSION"),
        description: "Judges National Provider Identifiers.",
        columns: &[],
        rules: &[NPI],
    };

    fn bind(config: Config, context: &Context) -> Result<Self, Error> {
        let names: Vec<&str> = config.columns.iter().map(String::as_str).collect();
        let places = context.positions(&names)?;
        for (name, place) in names.iter().zip(&places) {
            let found = context.input.field(*place).data_type();
            if *found != DataType::Utf8 {
                return Err(Error::data(format!("column '{name}' is {found}, not text")));
            }
        }
        Ok(Self(places.into_iter().zip(config.columns).collect()))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error> {
        for (place, name) in &self.0 {
            let broken = rows_breaking(rows.column(*place).as_string(), is_npi);
            out.fail_rows(&broken, &NPI, format!("{name} is no NPI"));
        }
        Ok(())
    }
}

/// Whether a text is an NPI.
fn is_npi(text: &[u8]) -> bool {
    if text.len() != 10 || !text.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // The prefix 80840 adds 24. Behind it every second digit counts double, the first one too, and
    // a double of two digits counts as their sum.
    let sum: u32 = (0..)
        .zip(text)
        .map(
            |(place, digit)| match (place % 2, u32::from(digit - b'0')) {
                (0, digit @ 5..) => 2 * digit - 9,
                (0, digit) => 2 * digit,
                (_, digit) => digit,
            },
        )
        .sum();
    (24 + sum).is_multiple_of(10)
}

weir_plugin::export_check!(Npi);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_s_own_example_is_one() {
        assert!(is_npi(b"1234567893"));
    }

    #[test]
    fn every_other_digit_and_most_swaps_break_it() {
        let npi = *b"1234567893";
        for place in 0..10 {
            for digit in b'0'..=b'9' {
                let mut other = npi;
                other[place] = digit;
                assert_eq!(is_npi(&other), digit == npi[place]);
            }
            if place > 0 {
                let mut other = npi;
                other.swap(place, place - 1);
                assert!(!is_npi(&other), "{place}");
            }
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "123456789",
            "12345678930",
            "123456789O",
            " 123456789",
            "１２３４",
        ] {
            assert!(!is_npi(text.as_bytes()), "{text}");
        }
    }
}
