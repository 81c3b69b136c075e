//! A plugin at work: its configuration, its grant, its isolation, its contract.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Number};

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::{Context, http, schema, side_input};
use crate::literals;
use crate::model::{
    Contract, Grant, GuestText, Isolation, OnFail, PluginStage, RowContract, SecretSource,
    SideInput,
};
use crate::tree::{Node, Value};

pub(crate) const GRANT: Keys = Keys {
    name: "grant",
    what: "a grant",
    keys: &[
        "columns", "memory", "deadline", "rows_out", "log", "secrets", "clock", "random", "http",
    ],
};

pub(crate) const SECRET: Keys = Keys {
    name: "secret",
    what: "a secret",
    keys: &["env", "file"],
};

pub(crate) const CONTRACT: Keys = Keys {
    name: "contract",
    what: "a contract",
    keys: &["adds", "rows", "rules", "text"],
};

pub(crate) const ISOLATIONS: &[(&str, Isolation)] = &[
    ("partition", Isolation::Partition),
    ("batch", Isolation::Batch),
];

pub(crate) const ROWS: &[(&str, RowContract)] = &[
    ("any", RowContract::Any),
    ("at-most-one", RowContract::AtMostOne),
    ("one-to-one", RowContract::OneToOne),
];

pub(crate) const TEXTS: &[(&str, GuestText)] = &[
    ("open", GuestText::Open),
    ("guest-log", GuestText::GuestLog),
];

const DEFAULT_MEMORY: u64 = 128 << 20;
const MOST_MEMORY: u64 = 2 << 30;
/// One page of WebAssembly memory: with less no instance starts.
const LEAST_MEMORY: u64 = 64 << 10;
const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);
const DEFAULT_LOG: u64 = 64 << 10;
const LEAST_LOG: u64 = 1 << 10;
const MOST_LOG: u64 = 1 << 30;

pub(crate) fn plugin(
    fields: &Fields<'_>,
    key: &str,
    on_fail: OnFail,
    context: &Context<'_>,
) -> Option<PluginStage> {
    let plugin = fields.text(key).map(|text| context.plugin(text));
    let config = config(fields, context);
    let grant = fields
        .need("grant", COLUMNS_HINT)
        .and_then(|node| grant(node, Given::Columns, context.sink));
    let side_inputs = side_inputs(fields, context);
    let isolation = fields
        .choice("isolation", ISOLATIONS)
        .unwrap_or(Isolation::Partition);
    let contract = match fields.node("contract") {
        None => Some(Contract::default()),
        Some(node) => contract(node, key == "transform", context.sink),
    };
    Some(PluginStage {
        plugin: plugin?,
        config: config?,
        grant: grant?,
        side_inputs,
        isolation,
        contract: contract?,
        on_fail,
    })
}

/// The plugin of a read, which is given no column: a `decoder` of files, or a `source` that reads elsewhere.
pub(crate) fn reading(
    fields: &Fields<'_>,
    key: &str,
    on_fail: OnFail,
    context: &Context<'_>,
) -> Option<PluginStage> {
    let plugin = fields.text(key).map(|text| context.plugin(text));
    let given = match key {
        "source" => Given::Nothing,
        _ => Given::Bytes,
    };
    let config = config(fields, context);
    let grant = match fields.node("grant") {
        None => Some(nothing()),
        Some(node) => grant(node, given, context.sink),
    };
    let contract = match fields.node("contract") {
        None => Some(Contract::default()),
        Some(node) => contract(node, false, context.sink),
    };
    let side_inputs = match given {
        Given::Nothing => {
            fields.refuse(
                &["side_inputs"],
                "does not apply to a source",
                "leave it out: a source reads by itself; its `config` says what",
            );
            Vec::new()
        }
        Given::Columns | Given::Bytes => side_inputs(fields, context),
    };
    Some(PluginStage {
        plugin: plugin?,
        config: config?,
        grant: grant?,
        side_inputs,
        // Each file or shard is given to an instance of its own.
        isolation: Isolation::Partition,
        contract: contract?,
        on_fail,
    })
}

fn config(fields: &Fields<'_>, context: &Context<'_>) -> Option<Map<String, serde_json::Value>> {
    match fields.node("config") {
        None => Some(Map::new()),
        Some(node) if node.table().is_some() => match json(node, context.sink) {
            Some(serde_json::Value::Object(map)) => Some(map),
            _ => None,
        },
        Some(node) => {
            crate::fields::wrong_kind(node, "config", "a table", context.sink);
            None
        }
    }
}

fn side_inputs(fields: &Fields<'_>, context: &Context<'_>) -> Vec<SideInput> {
    let node = fields.node("side_inputs");
    node.map(|node| side_input::side_inputs(node, context))
        .unwrap_or_default()
}

/// What a plugin is given to work on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Columns,
    Bytes,
    /// It reads by itself.
    Nothing,
}

const COLUMNS_HINT: &str = "nothing is granted by default: write grant = { columns = [\"*\"] }, or name the columns it needs";

/// The grant of a file that has none.
fn nothing() -> Grant {
    Grant {
        columns: Vec::new(),
        memory: DEFAULT_MEMORY,
        deadline: DEFAULT_DEADLINE,
        rows_out: None,
        log: DEFAULT_LOG,
        secrets: BTreeMap::new(),
        clock: false,
        random: false,
        http: Vec::new(),
    }
}

fn grant(node: &Node, given: Given, sink: &Sink) -> Option<Grant> {
    let fields = Fields::open(node, &GRANT, sink)?;
    let columns_node = match given {
        Given::Columns => fields.need("columns", COLUMNS_HINT),
        Given::Bytes | Given::Nothing => {
            fields.refuse(
                &["columns", "rows_out"],
                "belongs to plugins that are given rows",
                "leave it out: a decoder is given the bytes of files, and a source reads by itself",
            );
            None
        }
    };
    if given != Given::Nothing {
        fields.refuse(
            &["http"],
            "belongs to sources",
            "leave it out: of plugins only a source may reach the network, in `read = { source = … }`",
        );
    }
    let columns = fields.texts("columns").unwrap_or_default();
    if let Some(node) = columns_node
        && matches!(&node.value, Value::Array(nodes) if nodes.is_empty())
    {
        fields.fault(&node.place, "this grant has no column", COLUMNS_HINT);
    }
    for text in &columns {
        if text.text.trim_start_matches('!').is_empty() {
            fields.fault(
                text.place,
                "this column pattern is empty",
                "write a name, a glob such as \"sp_*\", or \"!name\" to take a column out",
            );
        }
    }
    let memory = size(
        &fields,
        "memory",
        (LEAST_MEMORY, DEFAULT_MEMORY, MOST_MEMORY),
        "\"64KiB\" to \"2GiB\"",
    );
    let log = size(
        &fields,
        "log",
        (LEAST_LOG, DEFAULT_LOG, MOST_LOG),
        "\"1KiB\" to \"1GiB\"",
    );
    let deadline = fields.duration("deadline").unwrap_or(DEFAULT_DEADLINE);
    Some(Grant {
        columns: columns.iter().map(|text| text.text.to_owned()).collect(),
        memory,
        deadline,
        rows_out: rows_out(&fields),
        log,
        secrets: fields
            .node("secrets")
            .map(|node| secrets(node, sink))
            .unwrap_or_default(),
        clock: fields.flag("clock").unwrap_or(false),
        random: fields.flag("random").unwrap_or(false),
        http: fields
            .node("http")
            .map(|node| http::grants(node, sink))
            .unwrap_or_default(),
    })
}

/// A size within bounds (least, default, most).
fn size(fields: &Fields<'_>, key: &str, bounds: (u64, u64, u64), range: &str) -> u64 {
    let (least, default, most) = bounds;
    let Some(text) = fields.text(key) else {
        return default;
    };
    let size = literals::size(text.text);
    if !text.guess && size.is_none_or(|size| !(least..=most).contains(&size)) {
        fields.fault(
            text.place,
            format!("{key} cannot be '{}'", text.text),
            format!("write a number of KiB, MiB or GiB from {range}"),
        );
    }
    size.unwrap_or(default)
}

fn rows_out(fields: &Fields<'_>) -> Option<u32> {
    let count = fields.count("rows_out")?;
    let rows = u32::try_from(count).ok();
    if let (None, Some(node)) = (rows, fields.node("rows_out")) {
        fields.fault(
            &node.place,
            format!("`rows_out` cannot be {count}"),
            "write how many rows may come out for each row that goes in, such as 10",
        );
    }
    rows
}

/// Secrets by the name under which the plugin asks for them: references, never values.
fn secrets(node: &Node, sink: &Sink) -> BTreeMap<String, SecretSource> {
    let hint = "write secrets = { NAME = { env = \"VARIABLE\" } }, or { file = \"path\" }";
    let mut secrets = BTreeMap::new();
    for (name, entry) in fields::named(node, "secrets", sink) {
        if !literals::is_identifier(name) {
            sink.push(
                Fault::new(format!("a secret cannot be named '{name}'"))
                    .at(&entry.key)
                    .hint("use lower-case letters, digits and _, a letter first"),
            );
        }
        if let Value::String(_) = &entry.node.value {
            sink.push(
                Fault::new("a secret is never written into the file")
                    .at(&entry.key)
                    .hint(hint)
                    .secret(),
            );
            continue;
        }
        let Some(source) = secret_source(&entry.node, sink) else {
            continue;
        };
        secrets.insert(name.to_owned(), source);
    }
    secrets
}

/// Where a secret's value is.
pub(crate) fn secret_source(node: &Node, sink: &Sink) -> Option<SecretSource> {
    secret_among(&Fields::open(node, &SECRET, sink)?)
}

/// The same, in a table that has other keys besides.
pub(crate) fn secret_among(fields: &Fields<'_>) -> Option<SecretSource> {
    let hint = "write { env = \"VARIABLE\" }, or { file = \"path\" }";
    let (key, found) = fields.one_of(SECRET.keys, hint)?;
    let text = fields::text(&found.node, key, fields.sink())?;
    if text.text.is_empty() {
        fields.fault(text.place, format!("`{key}` is empty"), hint);
    }
    Some(match key {
        "env" => SecretSource::Env(text.text.to_owned()),
        _ => SecretSource::File(PathBuf::from(text.text)),
    })
}

fn contract(node: &Node, transform: bool, sink: &Sink) -> Option<Contract> {
    let fields = Fields::open(node, &CONTRACT, sink)?;
    if !transform {
        let hint = "leave it out: a check changes no row, and what reads is given none";
        fields.refuse(&["adds", "rows"], "belongs to transforms", hint);
    }
    let adds = match fields.node("adds") {
        None => None,
        Some(node) => {
            let columns = schema::columns(node, sink)?;
            if columns.iter().any(|column| column.source.is_some()) {
                let hint = "leave it out: the plugin calls the column by its name";
                fields.fault(&node.place, "`source` belongs to columns of files", hint);
            }
            Some(columns)
        }
    };
    let rules = fields
        .texts("rules")
        .map(|rules| rules.iter().map(|rule| rule_name(rule, sink)).collect());
    Some(Contract {
        adds,
        rows: fields.choice("rows", ROWS).unwrap_or_default(),
        rules,
        text: fields.choice("text", TEXTS).unwrap_or_default(),
    })
}

fn rule_name(text: &Text<'_>, sink: &Sink) -> String {
    if text.text.is_empty() && !text.guess {
        sink.push(
            Fault::new("this rule has no name")
                .at(text.place)
                .hint("name a rule of the plugin; `weir plugin inspect` lists them"),
        );
    }
    text.text.to_owned()
}

/// A plugin's configuration as JSON, which has neither dates nor infinite numbers.
fn json(node: &Node, sink: &Sink) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match &node.value {
        Value::String(text) => Json::String(text.clone()),
        Value::Int(number) => Json::Number(Number::from(*number)),
        Value::Float(number, written) => {
            let Some(number) = Number::from_f64(*number) else {
                sink.push(
                    Fault::new(format!("a plugin's configuration cannot hold '{written}'"))
                        .at(&node.place)
                        .hint("configuration becomes JSON, whose numbers are finite"),
                );
                return None;
            };
            Json::Number(number)
        }
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Datetime(datetime) => Json::String(datetime.to_string()),
        Value::Array(nodes) => {
            let values: Vec<_> = nodes.iter().map(|node| json(node, sink)).collect();
            Json::Array(values.into_iter().collect::<Option<_>>()?)
        }
        Value::Table(table) => {
            let entries: Vec<_> = table
                .iter()
                .map(|(key, entry)| Some((key.to_owned(), json(&entry.node, sink)?)))
                .collect();
            Json::Object(entries.into_iter().collect::<Option<_>>()?)
        }
    })
}
