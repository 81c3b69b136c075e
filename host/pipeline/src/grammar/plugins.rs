//! Plugins, and whom a pipeline trusts for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::sections::{entries, named_well, non_empty};
use crate::oci::{OciReference, is_sha256};
use crate::plugin_set::{ComponentSource, PluginSource, Trust, TrustedKey};
use crate::tree::Node;

pub(crate) const PLUGIN: Keys = Keys {
    name: "plugin",
    what: "a plugin",
    keys: &["component", "sha256", "signed_by", "signature"],
};

pub(crate) const TRUST: Keys = Keys {
    name: "trust",
    what: "[trust]",
    keys: &["keys", "require_signature", "revoked"],
};

/// Length of a minisign public key in base64: 42 bytes, which need no padding.
const KEY_LENGTH: usize = 56;

pub(crate) fn trust(node: Option<&Node>, sink: &Sink) -> Trust {
    let Some(fields) = node.and_then(|node| Fields::open(node, &TRUST, sink)) else {
        return Trust::default();
    };
    let mut keys = BTreeMap::new();
    for (name, place, node) in entries(fields.node("keys"), "keys", sink) {
        named_well("key", name, place, sink);
        let Some(text) = fields::text(node, name, sink) else {
            continue;
        };
        if !text.guess && !is_public_key(text.text) {
            fields.fault(
                text.place,
                "this is not a minisign public key",
                "write the second line of the .pub file that `weir plugin keygen` or `minisign -G` made: 56 characters that begin with RW",
            );
        }
        let key = TrustedKey {
            text: text.text.to_owned(),
            place: text.place.clone(),
        };
        keys.insert(name.to_owned(), key);
    }
    let require_signature = fields.flag("require_signature").unwrap_or(false);
    if let Some(node) = fields.node("require_signature")
        && require_signature
        && fields.node("keys").is_none_or(|keys| {
            keys.table()
                .is_some_and(|keys| keys.iter().next().is_none())
        })
    {
        fields.fault(
            &node.place,
            "signatures are required, but no key is trusted",
            "add keys = { NAME = \"RW…\" } with the public keys of those who may sign",
        );
    }
    let revoked = fields.texts("revoked").unwrap_or_default();
    for text in &revoked {
        if text.text.is_empty() || text.text.chars().any(char::is_control) {
            fields.fault(
                text.place,
                "this is no path of a file",
                "name a list that `weir plugin revoke --file` wrote, relative to the pipeline file",
            );
        }
    }
    Trust {
        keys,
        require_signature,
        revoked: revoked.iter().map(|text| text.text.into()).collect(),
    }
}

pub(crate) fn plugins(
    node: Option<&Node>,
    trust: &Trust,
    sink: &Sink,
) -> BTreeMap<String, PluginSource> {
    entries(node, "plugins", sink)
        .map(|(name, key, node)| {
            named_well("plugin", name, key, sink);
            let fields = Fields::open(node, &PLUGIN, sink);
            let fields = fields.as_ref();
            let source = PluginSource {
                component: fields
                    .and_then(component)
                    .unwrap_or_else(|| ComponentSource::Path(PathBuf::new())),
                sha256: fields.and_then(sha256),
                signed_by: fields.and_then(|fields| signed_by(fields, trust, sink)),
                signature: fields
                    .and_then(|fields| non_empty(fields, "signature"))
                    .map(PathBuf::from),
                place: key.clone(),
            };
            (name.to_owned(), source)
        })
        .collect()
}

fn component(fields: &Fields<'_>) -> Option<ComponentSource> {
    let hint = "write component = \"…\": a .wasm file, the folder of a plugin's crate, or oci://registry/name@sha256:…";
    fields.need("component", hint);
    let text = non_empty(fields, "component")?;
    let Some((scheme, _)) = text.split_once("://") else {
        return Some(ComponentSource::Path(PathBuf::from(text)));
    };
    let node = fields.node("component")?;
    // What a parameter's value goes into cannot be judged before it is given.
    if node.guess {
        return None;
    }
    if scheme != "oci" {
        fields.fault(
            &node.place,
            format!("a component cannot come from '{scheme}://'"),
            "fetch it and name the .wasm file, or push it to a registry and write oci://registry/name@sha256:…",
        );
        return None;
    }
    match OciReference::parse(&text) {
        Ok(reference) => Some(ComponentSource::Oci(reference)),
        Err(wrong) => {
            fields.fault(&node.place, wrong.message, wrong.hint);
            None
        }
    }
}

fn sha256(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text("sha256")?;
    if !text.guess && !is_sha256(text.text) {
        fields.fault(
            text.place,
            "this is not a SHA-256 digest",
            "write the 64 lower-case hex digits that `sha256sum` prints",
        );
    }
    Some(text.text.to_owned())
}

fn signed_by(fields: &Fields<'_>, trust: &Trust, sink: &Sink) -> Option<String> {
    let Text { text, place, guess } = fields.text("signed_by")?;
    if !guess && !trust.keys.contains_key(text) {
        let names = trust.keys.keys().map(String::as_str);
        sink.push(
            Fault::new(format!("there is no key '{text}'"))
                .at(place)
                .hint(fields::choices("[trust] keys has", text, names)),
        );
    }
    Some(text.to_owned())
}

/// The shape of a minisign public key: base64 of `Ed`, an identifier and the key.
fn is_public_key(text: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let begins = ["RWQ", "RWR", "RWS", "RWT"]
        .iter()
        .any(|begin| text.starts_with(begin));
    text.len() == KEY_LENGTH && begins && text.bytes().all(base64)
}
