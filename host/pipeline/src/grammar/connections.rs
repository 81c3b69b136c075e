//! `[connections]`: databases.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys};
use crate::grammar::mask::labels;
use crate::grammar::plugin_stage::secret_source;
use crate::grammar::sections::{entries, named_well, non_empty};
use crate::model::{Address, Connection, ConnectionKind, Server, ServerKind, Tls};
use crate::tree::{Node, Value};

pub(crate) const CONNECTION: Keys = Keys {
    name: "connection",
    what: "a connection",
    keys: &[
        "kind",
        "sensitivity",
        "path",
        "url",
        "host",
        "port",
        "database",
        "user",
        "password",
        "tls",
        "ca",
        "connect_timeout",
        "statement_timeout",
    ],
};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Sqlite,
    Server(ServerKind),
}

pub(crate) const KINDS: &[(&str, Kind)] = &[
    ("sqlite", Kind::Sqlite),
    ("postgres", Kind::Server(ServerKind::Postgres)),
    ("mysql", Kind::Server(ServerKind::Mysql)),
];
pub(crate) const TLS: &[(&str, Tls)] = &[
    ("verify", Tls::Verify),
    ("require", Tls::Require),
    ("off", Tls::Off),
];

/// Keys that belong to files.
const FILE_KEYS: &[&str] = &["path"];
/// Keys that belong to servers.
const SERVER_KEYS: &[&str] = &[
    "url",
    "host",
    "port",
    "database",
    "user",
    "password",
    "tls",
    "ca",
    "connect_timeout",
    "statement_timeout",
];
/// Keys that say what an URL says too.
const PART_KEYS: &[&str] = &["host", "port", "database", "user", "password"];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn connections(node: Option<&Node>, sink: &Sink) -> BTreeMap<String, Connection> {
    entries(node, "connections", sink)
        .map(|(name, key, node)| {
            named_well("connection", name, key, sink);
            // A faulty one is there all the same: that it is faulty does not make its name unknown.
            let fields = fields_of(node, sink);
            let connection = Connection {
                kind: fields
                    .as_ref()
                    .and_then(|fields| kind(fields, sink))
                    .unwrap_or(ConnectionKind::Sqlite { path: None }),
                sensitivity: fields
                    .as_ref()
                    .map(|fields| labels(fields, sink))
                    .unwrap_or_default(),
                place: key.clone(),
            };
            (name.to_owned(), connection)
        })
        .collect()
}

/// A connection of a kind that is not supported has keys this version does not know, so the kind
/// alone is blamed.
fn fields_of<'a>(node: &'a Node, sink: &'a Sink) -> Option<Fields<'a>> {
    let entry = node.table().and_then(|table| table.get("kind"));
    if let Some(kind) = entry.and_then(|entry| fields::text(&entry.node, "kind", sink))
        && !KINDS.iter().any(|(name, _)| *name == kind.text)
    {
        if !kind.guess {
            let kinds = KINDS.iter().map(|(name, _)| *name);
            sink.push(
                Fault::new(format!("kind '{}' is not supported yet", kind.text))
                    .at(kind.place)
                    .hint(fields::choices("the kinds are", kind.text, kinds)),
            );
        }
        return None;
    }
    let fields = Fields::open(node, &CONNECTION, sink)?;
    fields.need("kind", "write kind = \"sqlite\", \"postgres\" or \"mysql\"");
    Some(fields)
}

fn kind(fields: &Fields<'_>, sink: &Sink) -> Option<ConnectionKind> {
    match fields.choice("kind", KINDS)? {
        Kind::Sqlite => {
            fields.refuse(
                SERVER_KEYS,
                "belongs to servers",
                "leave it out: a SQLite database is a file, with a `path`",
            );
            // Empty is unset: `path = "${env.X:-}"` stands for the default where X is not set.
            let path = match fields.node("path").map(|node| &node.value) {
                Some(Value::String(text)) if text.is_empty() => None,
                _ => non_empty(fields, "path"),
            };
            Some(ConnectionKind::Sqlite { path })
        }
        Kind::Server(kind) => {
            fields.refuse(
                FILE_KEYS,
                "belongs to kind = \"sqlite\"",
                "leave it out: a server has a `url`, or a `host`",
            );
            server(fields, sink).map(|server| ConnectionKind::Server(kind, server))
        }
    }
}

fn server(fields: &Fields<'_>, sink: &Sink) -> Option<Server> {
    let address = match fields.node("url") {
        Some(node) => {
            fields.refuse(
                PART_KEYS,
                "is said in `url` already",
                "leave it out, or leave out `url`",
            );
            match &node.value {
                Value::String(_) => {
                    sink.push(
                        Fault::new("`url` may hold a password, so it is never written into the file")
                            .secret()
                            .at(&node.place)
                            .hint("write url = { env = \"VARIABLE\" }, or the parts: host, database, user, password = { env = \"…\" }"),
                    );
                    None
                }
                _ => secret_source(node, sink).map(Address::Url),
            }
        }
        None => parts(fields, sink),
    };
    let tls = fields.choice("tls", TLS);
    if tls == Some(Tls::Off) {
        fields.refuse(
            &["ca"],
            "means nothing with tls = \"off\"",
            "leave it out, or write tls = \"verify\"",
        );
    }
    Some(Server {
        address: address?,
        tls,
        ca: non_empty_if_there(fields, "ca"),
        connect_timeout: fields
            .duration("connect_timeout")
            .unwrap_or(CONNECT_TIMEOUT),
        statement_timeout: fields.duration("statement_timeout"),
    })
}

fn parts(fields: &Fields<'_>, sink: &Sink) -> Option<Address> {
    let hint = "write url = { env = \"VARIABLE\" }, or host, database, user and password = { env = \"…\" }";
    for key in ["host", "database", "user"] {
        fields.need(key, hint);
    }
    let password = match fields.node("password") {
        None => Some(None),
        Some(node) if matches!(node.value, Value::String(_)) => {
            sink.push(
                Fault::new("`password` is a secret, which is never written into the file")
                    .secret()
                    .at(&node.place)
                    .hint("write password = { env = \"VARIABLE\" }, or { file = \"path\" }"),
            );
            None
        }
        Some(node) => secret_source(node, sink).map(Some),
    };
    let port = match fields.node("port") {
        None => Some(None),
        Some(node) => {
            let port = fields.count("port").map(u16::try_from);
            if let Some(Err(_)) = port {
                fields.fault(
                    &node.place,
                    "`port` is above 65535",
                    "write the server's port",
                );
            }
            port.and_then(Result::ok).map(Some)
        }
    };
    Some(Address::Parts {
        host: non_empty_if_there(fields, "host")?,
        port: port?,
        database: non_empty_if_there(fields, "database")?,
        user: non_empty_if_there(fields, "user")?,
        password: password?,
    })
}

fn non_empty_if_there(fields: &Fields<'_>, key: &str) -> Option<String> {
    fields.node(key)?;
    non_empty(fields, key)
}
