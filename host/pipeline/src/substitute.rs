//! Puts values in the place of references, as safely as the place demands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fault::{Fault, Sink};
use crate::fields::choices;
use crate::model::ParamValue;
use crate::params::{Bindings, Bound, ParamSpec};
use crate::place::Place;
use crate::template::{self, Part, Reference, ReferenceKind};
use crate::tree::{Entry, Node, Table, Value, toml_date};

/// What references mean.
pub(crate) struct Scope<'a> {
    /// The declared parameters.
    pub(crate) specs: &'a [ParamSpec],
    /// Their values; absent: references to them stay.
    pub(crate) params: Option<&'a Bindings>,
    /// The variables of the environment that the file names; absent: references to them stay.
    pub(crate) env: Option<&'a BTreeMap<String, Option<String>>>,
    /// The current values of a step's `each`; absent outside of steps.
    pub(crate) each: Option<&'a [(String, Node)]>,
}

/// What a string is for, and thus how a value may enter it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Step,
    Read,
    Stage,
    Write,
    /// SQL that a database runs.
    Run,
    Check,
    /// Declarations of parameters: only the environment is known.
    Declaration,
    /// Any text.
    Text,
    /// A lone reference keeps the type of its value.
    Typed,
    /// A path: a string parameter may name one part of it and no more.
    Path,
    /// A path with wildcards, which values must not bring in.
    Glob,
    /// A regular expression, which values must not extend.
    Pattern,
    /// Parameters are bound, nothing is pasted.
    Sql,
    /// A name that is the same in every run.
    Fixed,
}

impl Position {
    fn child(self, key: &str) -> Position {
        match (self, key) {
            (Position::Step, "name") => Position::Fixed,
            (Position::Step, "read") => Position::Read,
            (Position::Step, "stage") => Position::Stage,
            (Position::Step, "write") => Position::Write,
            (Position::Step, "run") => Position::Run,
            (Position::Read, "files") => Position::Glob,
            (Position::Read, "schema") => Position::Path,
            (Position::Read | Position::Stage | Position::Run, "sql") => Position::Sql,
            (Position::Stage, "config") | (Position::Write, "partition") => Position::Typed,
            (Position::Stage, "check") => Position::Check,
            (Position::Check, "expression") => Position::Sql,
            (Position::Check, "pattern") => Position::Pattern,
            (
                Position::Step
                | Position::Read
                | Position::Stage
                | Position::Write
                | Position::Run
                | Position::Check,
                _,
            ) => Position::Text,
            (inherited, _) => inherited,
        }
    }
}

impl Scope<'_> {
    /// The node with every reference in it replaced. A faulty string stays as it is, marked as a
    /// guess, so that it is blamed once.
    pub(crate) fn apply(&self, node: &Node, position: Position, sink: &Sink) -> Node {
        let value = match &node.value {
            Value::String(text) => return self.string(node, text, position, sink),
            Value::Array(nodes) => Value::Array(
                nodes
                    .iter()
                    .map(|node| self.apply(node, position, sink))
                    .collect(),
            ),
            Value::Table(table) => Value::Table(Table(
                table
                    .iter()
                    .map(|(key, entry)| {
                        let node = self.apply(&entry.node, position.child(key), sink);
                        (
                            key.to_owned(),
                            Entry {
                                key: entry.key.clone(),
                                node,
                            },
                        )
                    })
                    .collect(),
            )),
            other => other.clone(),
        };
        Node {
            value,
            ..node.clone()
        }
    }

    fn string(&self, node: &Node, text: &str, position: Position, sink: &Sink) -> Node {
        match position {
            Position::Fixed => return node.clone(),
            Position::Sql => {
                refuse_in_sql(node, text, sink);
                return node.clone();
            }
            _ => {}
        }
        let parts = template::parse(text);
        if position == Position::Typed
            && let [Part::Reference(reference)] = parts.as_slice()
            && let Some(typed) = self.typed(node, reference)
        {
            return typed;
        }
        let keeps_references = self.params.is_none() || self.env.is_none();
        let mut out = String::with_capacity(text.len());
        let mut guess = node.guess;
        let mut faulty = false;
        for part in &parts {
            let value = match part {
                Part::Text(text) => text.clone(),
                Part::Reference(reference) => match self.value(node, reference, position, sink) {
                    Some(Replacement::Text {
                        text,
                        guess: guessed,
                    }) => {
                        guess |= guessed;
                        text
                    }
                    Some(Replacement::Kept) => {
                        out.push_str(&reference.source);
                        continue;
                    }
                    None => {
                        faulty = true;
                        continue;
                    }
                },
                Part::Bad(bad) => {
                    sink.push(
                        Fault::new(bad.message.clone())
                            .at(&node.place.narrowed_to(&bad.fragment))
                            .hint(bad.hint),
                    );
                    faulty = true;
                    continue;
                }
            };
            if keeps_references {
                // What stays a template must be one.
                out.push_str(&template::escape(&value));
            } else {
                out.push_str(&value);
            }
        }
        if faulty {
            return Node {
                guess: true,
                ..node.clone()
            };
        }
        Node {
            place: node.place.clone(),
            value: Value::String(out),
            guess,
        }
    }

    /// The value of a string that is nothing but a reference, where it has a type of its own.
    fn typed(&self, node: &Node, reference: &Reference) -> Option<Node> {
        match &reference.kind {
            ReferenceKind::Each { name } => {
                let (_, value) = self.each?.iter().find(|(each, _)| each == name)?;
                match value.value {
                    Value::String(_) => None,
                    _ => Some(Node {
                        place: node.place.clone(),
                        ..value.clone()
                    }),
                }
            }
            ReferenceKind::Param { name, format: None } => {
                let bound = self.params?.get(name)?;
                let value = match &bound.value {
                    ParamValue::Int(number) => Value::Int(*number),
                    ParamValue::Bool(flag) => Value::Bool(*flag),
                    ParamValue::Date(date) => Value::Datetime(toml_date(*date)?),
                    ParamValue::String(_) | ParamValue::Path(_) => return None,
                };
                Some(Node {
                    place: node.place.clone(),
                    value,
                    guess: bound.guess,
                })
            }
            ReferenceKind::Param { .. } | ReferenceKind::Env { .. } => None,
        }
    }

    fn value(
        &self,
        node: &Node,
        reference: &Reference,
        position: Position,
        sink: &Sink,
    ) -> Option<Replacement> {
        let place = node.place.narrowed_to(&reference.source);
        match &reference.kind {
            ReferenceKind::Each { name } => self.each_value(name, &place, position, sink),
            ReferenceKind::Env { name, default } => {
                let Some(env) = self.env else {
                    return Some(Replacement::Kept);
                };
                let value = env
                    .get(name)
                    .cloned()
                    .flatten()
                    .filter(|value| !value.is_empty());
                let Some(text) = value.or_else(|| default.clone()) else {
                    sink.push(
                        Fault::new(format!("the environment has no variable '{name}'"))
                            .at(&place)
                            .hint(format!("set {name}, or give a default: ${{env.{name}:-…}}")),
                    );
                    return None;
                };
                let text = match position {
                    Position::Glob => escape_glob(&text),
                    Position::Pattern => regex::escape(&text),
                    _ => text,
                };
                Some(Replacement::Text { text, guess: false })
            }
            ReferenceKind::Param { name, format } => {
                if position == Position::Declaration {
                    sink.push(
                        Fault::new("a parameter cannot refer to a parameter")
                            .at(&place)
                            .hint("a default may refer to the environment: ${env.NAME}"),
                    );
                    return None;
                }
                let Some(spec) = self.specs.iter().find(|spec| spec.name == *name) else {
                    let names = self.specs.iter().map(|spec| spec.name.as_str());
                    sink.push(
                        Fault::new(format!("this pipeline has no parameter '{name}'"))
                            .at(&place)
                            .hint(choices("its parameters are", name, names)),
                    );
                    return None;
                };
                let Some(params) = self.params else {
                    return Some(Replacement::Kept);
                };
                // Without a value there is a fault already, in the arguments or the declaration.
                let bound = params.get(name)?;
                let text = render(&bound.value, format.as_deref(), &place, sink)?;
                let text = safe(text, spec, bound, position, &place, sink)?;
                Some(Replacement::Text {
                    text,
                    guess: bound.guess,
                })
            }
        }
    }

    fn each_value(
        &self,
        name: &str,
        place: &Place,
        position: Position,
        sink: &Sink,
    ) -> Option<Replacement> {
        let fault = Fault::new(format!("no `each` gives a value to ${{each.{name}}}")).at(place);
        let Some(each) = self.each else {
            sink.push(fault.hint("only a [[step]] has `each`"));
            return None;
        };
        let Some((_, value)) = each.iter().find(|(each, _)| each == name) else {
            let names = each.iter().map(|(name, _)| name.as_str());
            sink.push(fault.hint(if each.is_empty() {
                format!("give the step: each = {{ {name} = [\"…\", \"…\"] }}")
            } else {
                choices("this step's `each` has", name, names)
            }));
            return None;
        };
        let text = value.scalar_text()?;
        // The author wrote these values beside the glob, wildcards included; a pattern too.
        let text = match position {
            Position::Pattern => regex::escape(&text),
            _ => text,
        };
        Some(Replacement::Text {
            text,
            guess: value.guess,
        })
    }
}

enum Replacement {
    Text {
        text: String,
        guess: bool,
    },
    /// The reference stays as it is written.
    Kept,
}

fn render(value: &ParamValue, format: Option<&str>, place: &Place, sink: &Sink) -> Option<String> {
    let Some(format) = format else {
        return Some(value.to_string());
    };
    let ParamValue::Date(date) = value else {
        sink.push(
            Fault::new("only a date has a format")
                .at(place)
                .hint("declare the parameter with type = \"date\", or leave the format out"),
        );
        return None;
    };
    let mut out = String::new();
    if write!(out, "{}", date.format(format)).is_err() || out.chars().any(char::is_control) {
        sink.push(
            Fault::new(format!("'{format}' is not a format for dates"))
                .at(place)
                .hint("use %Y, %m, %d, %j or %F: ${param.name:%Y%m%d}"),
        );
        return None;
    }
    Some(out)
}

/// Keeps a value from meaning more than one part of a path.
fn safe(
    text: String,
    spec: &ParamSpec,
    bound: &Bound,
    position: Position,
    place: &Place,
    sink: &Sink,
) -> Option<String> {
    match (position, &bound.value) {
        (Position::Pattern, _) => Some(regex::escape(&text)),
        (Position::Glob, ParamValue::Path(_)) => Some(escape_glob(&text)),
        (Position::Glob | Position::Path, ParamValue::String(_)) => {
            let wildcard = position == Position::Glob && text.contains(GLOB);
            if text.is_empty()
                || text.contains(['/', '\\', '\0'])
                || text.contains("..")
                || wildcard
            {
                sink.push(
                    Fault::new(format!("the value '{text}' of '{}' is not one part of a path", spec.name))
                        .at(place)
                        .hint("it may be neither empty nor hold `/`, `\\`, `..` or a wildcard; declare the parameter with type = \"path\" if it is a path"),
                );
                return None;
            }
            Some(text)
        }
        _ => Some(text),
    }
}

/// What has a meaning in a glob.
const GLOB: &[char] = &['*', '?', '[', ']', '{', '}'];

/// Each wildcard as a class of one character, which every glob syntax has.
fn escape_glob(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if GLOB.contains(&c) {
            out.extend(['[', c, ']']);
        } else {
            out.push(c);
        }
    }
    out
}

pub(crate) fn refuse_in_sql(node: &Node, text: &str, sink: &Sink) {
    let hints = [
        ("param", "write $name: parameters are bound, never pasted"),
        (
            "env",
            "declare a parameter with the default \"${env.NAME}\" and write $name: parameters are bound, never pasted",
        ),
        (
            "each",
            "SQL knows parameters only ($name), nothing is pasted; write one step for each query",
        ),
    ];
    for (space, hint) in hints {
        let opening = format!("${{{space}.");
        if let Some((_, rest)) = text.split_once(&opening) {
            let end = rest.find('}').map_or(rest.len(), |close| close + 1);
            let fragment = format!("{opening}{}", rest.get(..end).unwrap_or_default());
            sink.push(
                Fault::new(format!(
                    "`{}` stands in SQL",
                    fragment.lines().next().unwrap_or_default()
                ))
                .at(&node.place.narrowed_to(&fragment))
                .hint(hint),
            );
        }
    }
}

/// The variables of the environment that a tree refers to.
pub(crate) fn variables(node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Value::String(text) => {
            for part in template::parse(text) {
                if let Part::Reference(Reference {
                    kind: ReferenceKind::Env { name, .. },
                    ..
                }) = part
                {
                    found.push(name);
                }
            }
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| variables(node, found)),
        Value::Table(table) => table
            .iter()
            .for_each(|(_, entry)| variables(&entry.node, found)),
        _ => {}
    }
}
