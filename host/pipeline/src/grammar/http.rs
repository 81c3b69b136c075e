//! What of HTTP a source is granted: one origin each, with the secrets that the host puts into requests to it.

use std::time::Duration;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, wrong_kind};
use crate::grammar::plugin_stage::{secret_among, secret_source};
use crate::literals;
use crate::model::{HttpGrant, HttpSecret, SigV4};
use crate::tree::{Node, Value};

pub(crate) const HTTP: Keys = Keys {
    name: "http",
    what: "a place that a source may reach",
    keys: &[
        "url",
        "methods",
        "private",
        "requests_per_second",
        "timeout",
        "max_response",
        "headers",
        "query",
        "sigv4",
    ],
};

pub(crate) const HTTP_SECRET: Keys = Keys {
    name: "http_secret",
    what: "a secret in a request",
    keys: &["env", "file", "prefix"],
};

pub(crate) const SIGV4: Keys = Keys {
    name: "sigv4",
    what: "a key of AWS",
    keys: &[
        "region",
        "service",
        "access_key_id",
        "secret_access_key",
        "session_token",
    ],
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RESPONSE: u64 = 64 << 20;
const URL_HINT: &str = "write where requests may go: { url = \"https://api.example.org/\" }";

/// The list `http` of a grant.
pub(crate) fn grants(node: &Node, sink: &Sink) -> Vec<HttpGrant> {
    let Value::Array(nodes) = &node.value else {
        wrong_kind(node, "http", "a list of tables", sink);
        return Vec::new();
    };
    if nodes.is_empty() {
        sink.push(
            Fault::new("`http` grants nothing")
                .at(&node.place)
                .hint(URL_HINT),
        );
    }
    nodes.iter().filter_map(|node| grant(node, sink)).collect()
}

fn grant(node: &Node, sink: &Sink) -> Option<HttpGrant> {
    let fields = Fields::open(node, &HTTP, sink)?;
    let url = fields.need_text("url", URL_HINT);
    let methods = match fields.texts("methods") {
        None => vec!["GET".to_owned(), "HEAD".to_owned()],
        Some(texts) => {
            for text in &texts {
                let is_method = !text.text.is_empty()
                    && text.text.bytes().all(|byte| byte.is_ascii_uppercase());
                if !is_method && !text.guess {
                    fields.fault(
                        text.place,
                        format!("'{}' is no method", text.text),
                        "write methods in capitals: \"GET\", \"POST\"",
                    );
                }
            }
            texts.iter().map(|text| text.text.to_owned()).collect()
        }
    };
    let requests_per_second = fields.node("requests_per_second").and_then(|node| {
        let number = match node.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number, _) => Some(number),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() && !node.guess {
            fields.fault(
                &node.place,
                "`requests_per_second` is no number above 0",
                "write how many requests may begin in a second, such as 5 or 0.5",
            );
        }
        number
    });
    let max_response = match fields.text("max_response") {
        None => DEFAULT_RESPONSE,
        Some(text) => {
            let size = literals::size(text.text).filter(|size| *size > 0);
            if size.is_none() && !text.guess {
                fields.fault(
                    text.place,
                    format!("max_response cannot be '{}'", text.text),
                    "write a number of KiB, MiB or GiB, such as 64MiB",
                );
            }
            size.unwrap_or(DEFAULT_RESPONSE)
        }
    };
    let headers = secrets(&fields, "headers");
    let query = secrets(&fields, "query");
    let sigv4 = fields.node("sigv4").and_then(|node| sigv4(node, sink));
    Some(HttpGrant {
        url: url?.text.to_owned(),
        methods,
        private: fields.flag("private").unwrap_or(false),
        requests_per_second,
        timeout: fields.duration("timeout").unwrap_or(DEFAULT_TIMEOUT),
        max_response,
        headers,
        query,
        sigv4,
        place: node.place.clone(),
    })
}

/// Secrets by the name of the header or parameter that takes them.
fn secrets(fields: &Fields<'_>, key: &str) -> Vec<(String, HttpSecret)> {
    let Some(node) = fields.node(key) else {
        return Vec::new();
    };
    let sink = fields.sink();
    let mut found = Vec::new();
    for (name, entry) in fields::named(node, key, sink) {
        if let Value::String(_) = &entry.node.value {
            sink.push(
                Fault::new("a secret is never written into the file")
                    .at(&entry.key)
                    .hint("write { env = \"VARIABLE\" } or { file = \"path\" }, with prefix = \"Bearer \" where that stands before it")
                    .secret(),
            );
            continue;
        }
        let Some(of) = Fields::open(&entry.node, &HTTP_SECRET, sink) else {
            continue;
        };
        let prefix = of.owned("prefix").unwrap_or_default();
        if let Some(source) = secret_among(&of) {
            found.push((name.to_owned(), HttpSecret { prefix, source }));
        }
    }
    found
}

fn sigv4(node: &Node, sink: &Sink) -> Option<SigV4> {
    let fields = Fields::open(node, &SIGV4, sink)?;
    let hint = "write sigv4 = { region = \"us-east-1\", service = \"execute-api\", access_key_id = { env = \"…\" }, secret_access_key = { env = \"…\" } }";
    let (region, service) = (
        fields.need_text("region", hint),
        fields.need_text("service", hint),
    );
    let source = |node: &Node| secret_source(node, sink);
    let access_key_id = fields.need("access_key_id", hint).and_then(source);
    let secret_access_key = fields.need("secret_access_key", hint).and_then(source);
    let session_token = match fields.node("session_token") {
        None => None,
        Some(node) => Some(source(node)?),
    };
    Some(SigV4 {
        region: region?.text.to_owned(),
        service: service?.text.to_owned(),
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
    })
}
