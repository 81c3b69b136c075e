//! What the pipeline's author says: streams, their columns, how they are paged.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_plugin::prelude::*;

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Streams by name.
    pub(crate) streams: BTreeMap<String, StreamConfig>,
}

/// A list of records that the server gives page by page.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamConfig {
    /// Where the list is: `https://api.example.org/v1/visits`.
    pub(crate) url: String,
    /// Parameters that each request has.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    /// Where in a page its records are, as keys with dots between: `data.items`. Empty: the page itself is the list.
    #[serde(default)]
    pub(crate) records: String,
    /// The columns by name, each by its path in a record and its type: `id = { path = "id", type = "int64", required
    /// = true }`, or only a path for text: `name = "patient.name"`.
    pub(crate) columns: BTreeMap<String, ColumnConfig>,
    /// The columns that identify a record.
    #[serde(default)]
    pub(crate) key: Vec<String>,
    /// How the next page is asked for. There is one page if it is left out.
    #[serde(default)]
    pub(crate) paging: Option<Paging>,
    /// How a later run asks for what is new. If it is left out it goes on at the end of the list.
    #[serde(default)]
    pub(crate) cursor: Option<Cursor>,
}

/// A column: its path, or more.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ColumnConfig {
    /// The path of a text.
    Path(String),
    /// A path with a type.
    Typed(TypedColumn),
}

/// A column with a type.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypedColumn {
    /// Keys with dots between; items of lists by number, from 0.
    pub(crate) path: String,
    /// The type; text if it is left out.
    #[serde(default, rename = "type")]
    pub(crate) kind: Kind,
    /// Whether a record without a value is rejected.
    #[serde(default)]
    pub(crate) required: bool,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Text; numbers and truth values as they are written.
    #[default]
    String,
    /// Whole numbers.
    Int64,
    /// Numbers.
    Float64,
    /// True or false.
    Bool,
    /// A date: `2024-01-31`.
    Date,
    /// A moment with a zone: `2024-01-31T08:30:00Z`.
    Timestamp,
    /// Whatever is there, as JSON text.
    Json,
}

/// How the next page is asked for.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Paging {
    /// By number. The list ends with a page that has fewer records than `size`, or none.
    Page {
        /// The parameter that takes the number.
        parameter: String,
        /// The first page's number; 1 if it is left out.
        #[serde(default = "one")]
        first: u64,
        /// How many records a page has.
        size: usize,
        /// The parameter that takes `size`, where the server lets it be chosen.
        #[serde(default)]
        size_parameter: Option<String>,
    },
    /// By how many records come before. The list ends as with pages.
    Offset {
        /// The parameter that takes the number of records before.
        parameter: String,
        /// How many records a page has.
        size: usize,
        /// The parameter that takes `size`, where the server lets it be chosen.
        #[serde(default)]
        size_parameter: Option<String>,
    },
    /// By a token in the page before. The list ends with a page that has none.
    Token {
        /// The parameter that takes the token.
        parameter: String,
        /// Where in a page the token of the next one is.
        path: String,
    },
    /// By the URL of the next page: in the header `link`, or at a path in the page. The list ends with a page that has
    /// none. It must be granted, as the first must.
    Link {
        /// Where in a page the URL is; the header `link` if it is left out.
        #[serde(default)]
        path: Option<String>,
    },
}

/// How a later run asks for what is new.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    /// The column whose highest value is kept: a date, a moment, a whole number, or text that sorts.
    pub(crate) column: String,
    /// The parameter that takes it. What the server gives for it must be newer; where it gives the same once more,
    /// merge by the key.
    pub(crate) parameter: String,
}

fn one() -> u64 {
    1
}

impl ColumnConfig {
    pub(crate) fn typed(&self) -> TypedColumn {
        match self {
            ColumnConfig::Typed(typed) => typed.clone(),
            ColumnConfig::Path(path) => TypedColumn {
                path: path.clone(),
                kind: Kind::String,
                required: false,
            },
        }
    }
}

/// What is at a path.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.split('.').try_fold(value, |value, key| match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}
