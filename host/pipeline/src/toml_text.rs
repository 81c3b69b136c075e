//! A tree as TOML text.

use toml::Value as Toml;

use crate::model::ParamValue;
use crate::params::Bindings;
use crate::template;
use crate::tree::{Node, Value, toml_date};

/// The text of an expanded tree; with bindings, each parameter's default is its bound value.
pub(crate) fn render(root: &Node, bindings: Option<&Bindings>) -> String {
    let mut value = convert(root);
    for (name, bound) in bindings.into_iter().flatten() {
        let spec = value
            .get_mut("params")
            .and_then(|params| params.get_mut(name))
            .and_then(Toml::as_table_mut);
        if let Some(spec) = spec {
            spec.insert("default".to_owned(), default(&bound.value));
        }
    }
    // Only types without a form in TOML fail, and a tree of TOML has none.
    toml::to_string_pretty(&value).unwrap_or_default()
}

fn default(value: &ParamValue) -> Toml {
    match value {
        // A default is a template, a value is not.
        ParamValue::String(text) | ParamValue::Path(text) => Toml::String(template::escape(text)),
        ParamValue::Int(number) => Toml::Integer(*number),
        ParamValue::Bool(flag) => Toml::Boolean(*flag),
        ParamValue::Date(date) => {
            toml_date(*date).map_or_else(|| Toml::String(date.to_string()), Toml::Datetime)
        }
    }
}

fn convert(node: &Node) -> Toml {
    match &node.value {
        Value::String(text) => Toml::String(text.clone()),
        Value::Int(number) => Toml::Integer(*number),
        Value::Float(number, _) => Toml::Float(*number),
        Value::Bool(flag) => Toml::Boolean(*flag),
        Value::Datetime(datetime) => Toml::Datetime(*datetime),
        Value::Array(nodes) => Toml::Array(nodes.iter().map(convert).collect()),
        Value::Table(table) => Toml::Table(
            table
                .iter()
                .map(|(key, entry)| (key.to_owned(), convert(&entry.node)))
                .collect(),
        ),
    }
}
