//! `[connections]`: databases.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys};
use crate::grammar::mask::labels;
use crate::grammar::plugin_stage::secret_source;
use crate::grammar::sections::{entries, named_well, non_empty};
use crate::model::{
    AccessKey, Adbc, AdbcOption, Address, Connection, ConnectionKind, Dynamodb, Redshift, S3Access,
    SecretSource, Server, ServerKind, Tls,
};
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
        "region",
        "endpoint",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "staging",
        "iam_role",
        "driver",
        "entry_point",
        "options",
    ],
};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Sqlite,
    Server(ServerKind),
    Redshift,
    Dynamodb,
    Adbc,
}

pub(crate) const KINDS: &[(&str, Kind)] = &[
    ("sqlite", Kind::Sqlite),
    ("postgres", Kind::Server(ServerKind::Postgres)),
    ("mysql", Kind::Server(ServerKind::Mysql)),
    ("redshift", Kind::Redshift),
    ("dynamodb", Kind::Dynamodb),
    ("adbc", Kind::Adbc),
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
/// Keys that belong to what is at AWS.
const AWS_KEYS: &[&str] = &[
    "region",
    "access_key_id",
    "secret_access_key",
    "session_token",
];
/// Keys that belong to DynamoDB.
const DYNAMODB_KEYS: &[&str] = &["endpoint"];
/// Keys that belong to Redshift.
const REDSHIFT_KEYS: &[&str] = &["staging", "iam_role"];
/// Keys that belong to ADBC.
const ADBC_KEYS: &[&str] = &["driver", "entry_point", "options"];
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
    fields.need(
        "kind",
        "write kind = \"sqlite\", \"postgres\", \"mysql\", \"redshift\", \"dynamodb\" or \"adbc\"",
    );
    Some(fields)
}

fn kind(fields: &Fields<'_>, sink: &Sink) -> Option<ConnectionKind> {
    let kind = fields.choice("kind", KINDS)?;
    if !matches!(kind, Kind::Dynamodb | Kind::Redshift) {
        fields.refuse(
            AWS_KEYS,
            "belongs to kind = \"dynamodb\" or \"redshift\"",
            "leave it out",
        );
    }
    if kind != Kind::Dynamodb {
        fields.refuse(
            DYNAMODB_KEYS,
            "belongs to kind = \"dynamodb\"",
            "leave it out",
        );
    }
    if kind != Kind::Redshift {
        fields.refuse(
            REDSHIFT_KEYS,
            "belongs to kind = \"redshift\"",
            "leave it out",
        );
    }
    if kind != Kind::Adbc {
        fields.refuse(ADBC_KEYS, "belongs to kind = \"adbc\"", "leave it out");
    }
    // Empty is unset, here too: a profile that makes a server of a file cannot take a key away.
    let path_is_unset = fields
        .node("path")
        .is_some_and(|node| matches!(&node.value, Value::String(text) if text.is_empty()));
    let no_file = |instead: &str| {
        if path_is_unset {
            return;
        }
        fields.refuse(FILE_KEYS, "belongs to kind = \"sqlite\"", instead);
    };
    let of_server = "leave it out: a server has a `url`, or a `host`";
    match kind {
        Kind::Adbc => {
            let instead = "leave it out: an ADBC driver has `options` of its own names";
            no_file(instead);
            fields.refuse(SERVER_KEYS, "belongs to other kinds", instead);
            adbc(fields, sink).map(ConnectionKind::Adbc)
        }
        Kind::Dynamodb => {
            let instead = "leave it out: DynamoDB has a `region`, and perhaps an `endpoint`";
            no_file(instead);
            fields.refuse(SERVER_KEYS, "belongs to other kinds", instead);
            dynamodb(fields, sink).map(ConnectionKind::Dynamodb)
        }
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
            no_file(of_server);
            server(fields, sink).map(|server| ConnectionKind::Server(kind, server))
        }
        Kind::Redshift => {
            no_file(of_server);
            redshift(fields, sink).map(ConnectionKind::Redshift)
        }
    }
}

fn adbc(fields: &Fields<'_>, sink: &Sink) -> Option<Adbc> {
    fields.need(
        "driver",
        "write driver = \"…\", the path of the driver's shared library",
    );
    let driver = non_empty_if_there(fields, "driver");
    let entry_point = match fields.node("entry_point") {
        None => Some(None),
        Some(_) => non_empty(fields, "entry_point").map(Some),
    };
    let options = match fields.node("options") {
        None => Some(BTreeMap::new()),
        Some(node) => fields::named(node, "options", sink)
            .map(|(name, entry)| {
                let value = match &entry.node.value {
                    Value::Table(_) => AdbcOption::Secret(secret_source(&entry.node, sink)?),
                    Value::Int(number) => AdbcOption::Text(number.to_string()),
                    Value::Bool(flag) => AdbcOption::Text(flag.to_string()),
                    _ => AdbcOption::Text(fields::text(&entry.node, name, sink)?.text.to_owned()),
                };
                Some((name.to_owned(), value))
            })
            .collect(),
    };
    Some(Adbc {
        driver: driver?,
        entry_point: entry_point?,
        options: options?,
    })
}

fn dynamodb(fields: &Fields<'_>, sink: &Sink) -> Option<Dynamodb> {
    fields.need("region", "write region = \"…\", such as \"eu-north-1\"");
    let region = non_empty_if_there(fields, "region");
    let endpoint = match fields.node("endpoint") {
        None => Some(None),
        Some(_) => non_empty(fields, "endpoint").map(Some),
    };
    let key = access_key(fields, "without both AWS's standard chain is asked", sink);
    Some(Dynamodb {
        region: region?,
        endpoint: endpoint?,
        key: key?,
    })
}

/// A key of AWS, if one is given; `without` says what holds else. The outer `None` is a fault.
fn access_key(fields: &Fields<'_>, without: &str, sink: &Sink) -> Option<Option<AccessKey>> {
    let keys = ["access_key_id", "secret_access_key", "session_token"];
    if keys.iter().all(|key| fields.node(key).is_none()) {
        return Some(None);
    }
    let hint = format!(
        "write access_key_id and secret_access_key, each = {{ env = \"VARIABLE\" }}; {without}"
    );
    fields.need("access_key_id", &hint);
    fields.need("secret_access_key", &hint);
    let session_token = match fields.node("session_token") {
        None => Some(None),
        Some(_) => secret(fields, "session_token", sink).map(Some),
    };
    let (id, secret) = (
        secret(fields, "access_key_id", sink),
        secret(fields, "secret_access_key", sink),
    );
    Some(Some(AccessKey {
        id: id?,
        secret: secret?,
        session_token: session_token?,
    }))
}

fn redshift(fields: &Fields<'_>, sink: &Sink) -> Option<Redshift> {
    let hint = "write staging = \"s3://bucket/folder\": Redshift loads files that it reads there";
    fields.need("staging", hint);
    let staging = non_empty_if_there(fields, "staging");
    let staging = match (fields.node("staging"), staging) {
        (Some(node), Some(url)) if !url.starts_with("s3://") => {
            fields.fault(&node.place, "`staging` is no URL of S3", hint);
            None
        }
        (_, staging) => staging,
    };
    let key = access_key(fields, "or iam_role alone", sink);
    let access = match fields.node("iam_role") {
        Some(node) => {
            fields.refuse(
                &["access_key_id", "secret_access_key", "session_token"],
                "means nothing beside `iam_role`",
                "leave one of the two out",
            );
            non_empty(fields, "iam_role").and_then(|role| {
                if role != "default" && !role.starts_with("arn:") {
                    fields.fault(
                        &node.place,
                        "`iam_role` is no ARN of a role",
                        "write iam_role = \"arn:aws:iam::123456789012:role/name\", or \"default\" for the warehouse's own",
                    );
                    return None;
                }
                Some(S3Access::Role(role))
            })
        }
        None => match key {
            Some(Some(key)) => Some(S3Access::Key(key)),
            Some(None) => {
                fields.need(
                    "iam_role",
                    "write iam_role = \"arn:aws:iam::…:role/…\" or \"default\": the role as which Redshift reads `staging`",
                );
                None
            }
            None => None,
        },
    };
    let region = match fields.node("region") {
        None => Some(None),
        Some(_) => non_empty(fields, "region").map(Some),
    };
    let server = server(fields, sink);
    Some(Redshift {
        server: server?,
        staging: staging?,
        access: access?,
        region: region?,
    })
}

/// A secret, which is never written into the file.
fn secret(fields: &Fields<'_>, key: &str, sink: &Sink) -> Option<SecretSource> {
    let node = fields.node(key)?;
    if matches!(node.value, Value::String(_)) {
        sink.push(
            Fault::new(format!(
                "`{key}` is a secret, which is never written into the file"
            ))
            .secret()
            .at(&node.place)
            .hint(format!(
                "write {key} = {{ env = \"VARIABLE\" }}, or {{ file = \"path\" }}"
            )),
        );
        return None;
    }
    secret_source(node, sink)
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
        Some(_) => secret(fields, "password", sink).map(Some),
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
