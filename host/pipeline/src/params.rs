//! The parameters of a file and the values given for them.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys};
use crate::literals;
use crate::model::ParamValue;
use crate::place::Place;
use crate::tree::{Node, Value};

/// A parameter as the file declares it.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// Its name: `--param name=value`, `${param.name}`, `$name` in SQL.
    pub name: String,
    /// Its type.
    pub param_type: ParamType,
    /// The value it has if none is given; without one it is required.
    pub default: Option<ParamValue>,
    /// The values it may have; empty: any of its type.
    pub values: Vec<ParamValue>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// The types of parameters, written in the file as the text given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// `string`
    String,
    /// `int`: a signed integer of 64 bits.
    Int,
    /// `date`: a calendar day, `YYYY-MM-DD`.
    Date,
    /// `bool`: `true` or `false`.
    Bool,
    /// `path`: text that may hold `/`.
    Path,
}

pub(crate) const PARAM_TYPES: &[(&str, ParamType)] = &[
    ("string", ParamType::String),
    ("int", ParamType::Int),
    ("date", ParamType::Date),
    ("bool", ParamType::Bool),
    ("path", ParamType::Path),
];

pub(crate) const PARAM: Keys = Keys {
    name: "param",
    what: "a parameter",
    keys: &["type", "default", "values", "description"],
};

/// A value with whether it is only a stand-in (see [`Node::guess`]).
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) value: ParamValue,
    pub(crate) guess: bool,
}

pub(crate) type Bindings = BTreeMap<String, Bound>;

impl ParamType {
    fn example(self) -> &'static str {
        match self {
            ParamType::String => "text without control characters",
            ParamType::Int => "a whole number such as 2008",
            ParamType::Date => "a date such as 2026-01-31",
            ParamType::Bool => "true or false",
            ParamType::Path => "a path",
        }
    }

    /// Reads a value from text; none if it is not of this type.
    fn parse(self, text: &str) -> Option<ParamValue> {
        match self {
            ParamType::String => {
                (!text.chars().any(char::is_control)).then(|| ParamValue::String(text.to_owned()))
            }
            ParamType::Path => (!text.is_empty() && !text.chars().any(char::is_control))
                .then(|| ParamValue::Path(text.to_owned())),
            ParamType::Int => text.parse().ok().map(ParamValue::Int),
            ParamType::Bool => text.parse().ok().map(ParamValue::Bool),
            // Ten bytes: chrono also takes 2026-1-1 and years of any length.
            ParamType::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .filter(|_| text.len() == 10 && !text.starts_with(['+', '-']))
                .map(ParamValue::Date),
        }
    }

    /// Reads a value from the file.
    fn read(self, node: &Node) -> Option<ParamValue> {
        match (self, &node.value) {
            (ParamType::Date, Value::Datetime(_)) => node.date().map(ParamValue::Date),
            (ParamType::String | ParamType::Path | ParamType::Date, Value::String(text)) => {
                self.parse(text)
            }
            (ParamType::Int, Value::Int(number)) => Some(ParamValue::Int(*number)),
            (ParamType::Bool, Value::Bool(flag)) => Some(ParamValue::Bool(*flag)),
            _ => None,
        }
    }
}

impl std::fmt::Display for ParamType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = PARAM_TYPES
            .iter()
            .find(|(_, param_type)| param_type == self);
        f.write_str(name.map_or("string", |(name, _)| name))
    }
}

impl std::fmt::Display for ParamValue {
    /// As `--param` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParamValue::String(text) | ParamValue::Path(text) => f.write_str(text),
            ParamValue::Int(number) => number.fmt(f),
            // Four digits for the year: what is out of their range cannot be made.
            ParamValue::Date(date) => date.fmt(f),
            ParamValue::Bool(flag) => flag.fmt(f),
        }
    }
}

/// More values than this are no choice, and each one is a check of the whole file.
const MOST_VALUES: usize = 1_000;

/// Reads `[params]`. A faulty declaration still yields a parameter, so that references to it are
/// not faults too.
pub(crate) fn specs(node: &Node, sink: &Sink) -> Vec<ParamSpec> {
    fields::named(node, "params", sink)
        .map(|(name, entry)| {
            if !literals::is_identifier(name) {
                sink.push(
                    Fault::new(format!("a parameter cannot be named '{name}'"))
                        .at(&entry.key)
                        .hint("use lower-case letters, digits and _, a letter first: SQL names it $name"),
                );
            }
            spec(name, &entry.key, &entry.node, sink)
        })
        .collect()
}

fn spec(name: &str, place: &Place, node: &Node, sink: &Sink) -> ParamSpec {
    let mut spec = ParamSpec {
        name: name.to_owned(),
        param_type: ParamType::String,
        default: None,
        values: Vec::new(),
        description: None,
        place: place.clone(),
    };
    let Some(fields) = Fields::open(node, &PARAM, sink) else {
        return spec;
    };
    spec.description = fields.owned("description");
    let type_hint = "write type = \"string\", \"int\", \"date\", \"bool\" or \"path\"";
    let Some(param_type) = fields
        .need_text("type", type_hint)
        .and_then(|text| fields::choice(text, "type", PARAM_TYPES, sink))
    else {
        return spec;
    };
    spec.param_type = param_type;

    let read = |node: &Node, what: &str| {
        let value = param_type.read(node);
        if value.is_none() && !node.guess {
            sink.push(
                Fault::new(format!("{what} is not of type {param_type}"))
                    .at(&node.place)
                    .hint(format!("write {}", param_type.example())),
            );
        }
        value
    };
    if let Some(node) = fields.node("values") {
        match &node.value {
            Value::Array(nodes) if nodes.is_empty() || nodes.len() > MOST_VALUES => fields.fault(
                &node.place,
                format!(
                    "`values` lists 1 to {MOST_VALUES} values, not {}",
                    nodes.len()
                ),
                "leave `values` out if any value will do",
            ),
            Value::Array(nodes) => {
                spec.values = nodes
                    .iter()
                    .filter_map(|node| read(node, "this value"))
                    .collect();
            }
            _ => fields::wrong_kind(node, "values", "a list", sink),
        }
    }
    if let Some(node) = fields.node("default") {
        spec.default = read(node, "the default");
        if let Some(default) = &spec.default
            && !spec.values.is_empty()
            && !spec.values.contains(default)
        {
            fields.fault(
                &node.place,
                format!("the default '{default}' is not among `values`"),
                format!("`values` are: {}", list(&spec.values)),
            );
        }
    }
    spec
}

/// Binds every parameter to what `args` or its default says.
pub(crate) fn bind(specs: &[ParamSpec], args: &BTreeMap<String, String>, sink: &Sink) -> Bindings {
    refuse_unknown(specs, args, sink);
    let mut bindings = Bindings::new();
    for spec in specs {
        let value = match args.get(&spec.name) {
            Some(text) => given(spec, text, sink),
            None => {
                if spec.default.is_none() {
                    sink.push(
                        Fault::new(format!("parameter '{}' has no value", spec.name))
                            .at(&spec.place)
                            .hint(format!("add --param {}=…, {}", spec.name, accepted(spec))),
                    );
                }
                spec.default.clone()
            }
        };
        if let Some(value) = value {
            bindings.insert(
                spec.name.clone(),
                Bound {
                    value,
                    guess: false,
                },
            );
        }
    }
    bindings
}

fn refuse_unknown(specs: &[ParamSpec], args: &BTreeMap<String, String>, sink: &Sink) {
    for name in args.keys() {
        if !specs.iter().any(|spec| spec.name == *name) {
            let names = specs.iter().map(|spec| spec.name.as_str());
            sink.push(
                Fault::new(format!("this pipeline has no parameter '{name}'"))
                    .hint(fields::choices("its parameters are", name, names)),
            );
        }
    }
}

/// A path given by the shell's user starts where the shell is; one in the file, at the file.
fn from_working_directory(value: ParamValue) -> ParamValue {
    match value {
        ParamValue::Path(text) if !text.contains("://") => {
            // Two spellings of one folder are one value: what was loaded is remembered by it.
            let absolute = std::fs::canonicalize(&text)
                .or_else(|_| std::path::absolute(&text))
                .ok()
                .and_then(|path| path.to_str().map(str::to_owned));
            ParamValue::Path(absolute.unwrap_or(text))
        }
        other => other,
    }
}

fn given(spec: &ParamSpec, text: &str, sink: &Sink) -> Option<ParamValue> {
    let name = &spec.name;
    let Some(value) = spec.param_type.parse(text) else {
        sink.push(
            Fault::new(format!(
                "--param {name}={text} is not of type {}",
                spec.param_type
            ))
            .at(&spec.place)
            .hint(format!("give it {}", accepted(spec))),
        );
        return None;
    };
    if !spec.values.is_empty() && !spec.values.contains(&value) {
        sink.push(
            Fault::new(format!("parameter '{name}' cannot be '{text}'"))
                .at(&spec.place)
                .hint(fields::choices(
                    "its values are",
                    text,
                    spec.values
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .iter()
                        .map(String::as_str),
                )),
        );
        return None;
    }
    Some(from_working_directory(value))
}

fn accepted(spec: &ParamSpec) -> String {
    if spec.values.is_empty() {
        spec.param_type.example().to_owned()
    } else {
        format!("one of: {}", list(&spec.values))
    }
}

fn list(values: &[ParamValue]) -> String {
    let texts: Vec<String> = values.iter().take(24).map(ToString::to_string).collect();
    let more = if values.len() > 24 { ", …" } else { "" };
    format!("{}{more}", texts.join(", "))
}

/// Bindings to check a file with: defaults, else the first allowed value, else a stand-in; then
/// the same again with each other allowed value of each parameter.
pub(crate) fn samples(specs: &[ParamSpec]) -> Vec<Bindings> {
    let first: Bindings = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let known = spec.default.as_ref().or_else(|| spec.values.first());
            let bound = match known {
                Some(value) => Bound {
                    value: value.clone(),
                    guess: false,
                },
                None => Bound {
                    value: stand_in(spec, index),
                    guess: true,
                },
            };
            (spec.name.clone(), bound)
        })
        .collect();
    let mut samples = vec![first.clone()];
    for spec in specs {
        for value in &spec.values {
            let known = first.get(&spec.name).map(|bound| &bound.value);
            if known != Some(value) {
                let mut sample = first.clone();
                sample.insert(
                    spec.name.clone(),
                    Bound {
                        value: value.clone(),
                        guess: false,
                    },
                );
                samples.push(sample);
            }
        }
    }
    samples
}

/// The samples in which the parameters of `args` have no other value than the one given.
pub(crate) fn samples_with(
    specs: &[ParamSpec],
    args: &BTreeMap<String, String>,
    sink: &Sink,
) -> Vec<Bindings> {
    refuse_unknown(specs, args, sink);
    let pinned: Vec<ParamSpec> = specs
        .iter()
        .map(|spec| match args.get(&spec.name) {
            Some(text) => ParamSpec {
                default: given(spec, text, sink),
                values: Vec::new(),
                ..spec.clone()
            },
            None => spec.clone(),
        })
        .collect();
    samples(&pinned)
}

/// Stand-ins differ between parameters: scopes that two parameters tell apart are no clash.
fn stand_in(spec: &ParamSpec, index: usize) -> ParamValue {
    let number = index.saturating_add(1);
    match spec.param_type {
        ParamType::String => ParamValue::String(spec.name.clone()),
        ParamType::Path => ParamValue::Path(spec.name.clone()),
        ParamType::Int => ParamValue::Int(i64::try_from(number).unwrap_or(1)),
        ParamType::Bool => ParamValue::Bool(true),
        ParamType::Date => {
            let days = chrono::Days::new(u64::try_from(number % 1_000).unwrap_or(1));
            ParamValue::Date(NaiveDate::default() + days)
        }
    }
}
