//! Names of fields in another case.

/// How the words of a field's name are written in a column's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

/// Each case by its own name, written in it; the names that serde uses.
const CASES: [(&str, Case); 8] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("PascalCase", Case::Pascal),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    /// The case of this name.
    pub(crate) fn named(name: &str) -> Option<Case> {
        let found = CASES.iter().find(|(known, _)| *known == name);
        found.map(|(_, case)| *case)
    }

    /// The names of all of them, for a message.
    pub(crate) fn names() -> String {
        CASES.map(|(name, _)| format!("`{name}`")).join(", ")
    }

    /// A field's name, which Rust writes in snake case, in this case.
    pub(crate) fn apply(self, field: &str) -> String {
        let words = field.split('_').filter(|word| !word.is_empty());
        match self {
            Case::Lower | Case::Snake => field.to_owned(),
            Case::Upper | Case::ScreamingSnake => field.to_ascii_uppercase(),
            Case::Pascal => words.map(capitalised).collect(),
            Case::Camel => words
                .enumerate()
                .map(|(position, word)| match position {
                    0 => word.to_owned(),
                    _ => capitalised(word),
                })
                .collect(),
            Case::Kebab => field.replace('_', "-"),
            Case::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_written_as_its_name() {
        let written = CASES.map(|(_, case)| case.apply("npi_of_2nd_payer"));
        assert_eq!(
            written,
            [
                "npi_of_2nd_payer",
                "NPI_OF_2ND_PAYER",
                "NpiOf2ndPayer",
                "npiOf2ndPayer",
                "npi_of_2nd_payer",
                "NPI_OF_2ND_PAYER",
                "npi-of-2nd-payer",
                "NPI-OF-2ND-PAYER",
            ]
        );
        assert_eq!(Case::named("camelCase"), Some(Case::Camel));
        assert_eq!(Case::named("camel_case"), None);
        assert_eq!(Case::Pascal.apply("_id_"), "Id");
    }
}
