//! The columns that a configuration names.

use std::collections::{BTreeMap, BTreeSet};

use weir_plugin::prelude::*;

/// Most columns that a range of numbers stands for.
const MOST: u32 = 10_000;

/// The columns, as they are written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Columns {
    /// Names, in the order of the rows' columns.
    Listed(Vec<String>),
    /// Names, each with that of the header.
    Renamed(BTreeMap<String, String>),
}

impl Columns {
    /// Each column with its name in the headers. `{1..3}` in a listed name stands for the numbers 1, 2 and 3, one
    /// column each.
    pub(crate) fn named(&self) -> Result<Vec<(String, String)>, Error> {
        let columns: Vec<(String, String)> = match self {
            Self::Renamed(columns) => columns.clone().into_iter().collect(),
            Self::Listed(names) => {
                let mut columns = Vec::with_capacity(names.len());
                for name in names {
                    columns.extend(numbered(name)?.into_iter().map(|name| (name.clone(), name)));
                }
                columns
            }
        };
        if columns.is_empty() {
            return Err(Error::config(
                "there are no columns: name each as the files' headers do",
            ));
        }
        let mut seen = BTreeSet::new();
        if let Some((twice, _)) = columns.iter().find(|(name, _)| !seen.insert(name)) {
            return Err(Error::config(format!(
                "the column '{twice}' is named twice"
            )));
        }
        Ok(columns)
    }
}

fn numbered(name: &str) -> Result<Vec<String>, Error> {
    let Some((before, rest)) = name.split_once('{') else {
        return Ok(vec![name.to_owned()]);
    };
    let range = rest.split_once('}').and_then(|(range, after)| {
        let (first, last) = range.split_once("..")?;
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last - first < MOST).then_some((first..=last, after))
    });
    let (numbers, after) = range.ok_or_else(|| {
        Error::config(format!(
            "the numbers of '{name}' cannot be read: write the first and the last of them, such as code_{{1..25}}"
        ))
    })?;
    Ok(numbers
        .map(|number| format!("{before}{number}{after}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Result<Vec<String>, String> {
        let listed = Columns::Listed(names.iter().map(ToString::to_string).collect());
        let columns = listed.named().map_err(|error| error.to_string())?;
        assert!(columns.iter().all(|(name, header)| name == header));
        Ok(columns.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_range_is_a_column_for_each_number() {
        let names = named(&["id", "code_{1..3}", "line_{9..10}_amt"]).unwrap();
        assert_eq!(
            names,
            [
                "id",
                "code_1",
                "code_2",
                "code_3",
                "line_9_amt",
                "line_10_amt"
            ]
        );
        for bad in ["a_{1..}", "a_{3..1}", "a_{1-3}", "a_{1..3", "a_{0..10000}"] {
            let error = named(&[bad]).unwrap_err();
            assert!(error.contains("code_{1..25}"), "{error}");
        }
        assert!(
            named(&["a_{1..2}", "a_2"])
                .unwrap_err()
                .contains("'a_2' is named twice")
        );
        assert!(named(&[]).unwrap_err().contains("there are no columns"));
    }
}
