//! The manifest of a component: which layer it is, and its signature.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_pipeline::is_sha256;

use crate::MAX_COMPONENT;
use crate::error::RegistryError;
use crate::signature::MOST_BYTES;

/// The media type of a layer that is a component, as the CNCF's guidance for WebAssembly has it.
pub const COMPONENT_LAYER: &str = "application/wasm";

/// The annotation, of the manifest or of the layer, that holds the text of a minisign signature
/// of the component. An annotation and not a layer: other tools expect a component to be the only
/// layer.
pub const SIGNATURE_ANNOTATION: &str = "vnd.weir.signature.minisign";

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What matters of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) component: Layer,
    /// The text of the signature.
    pub(super) signature: Option<String>,
}

/// A blob of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// 64 lower-case hex digits.
    pub(super) sha256: String,
    /// In bytes, at most [`MAX_COMPONENT`].
    pub(super) size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema_version: u64,
    media_type: Option<String>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest whose digest was found right.
    pub(super) fn read(bytes: &[u8]) -> Result<Manifest, RegistryError> {
        let wrong = |why: &str| RegistryError::WrongManifest(why.to_owned());
        // serde_json says where and what it expected, and quotes little.
        let text: Text = serde_json::from_slice(bytes)
            .map_err(|error| RegistryError::WrongManifest(shown(&error.to_string())))?;
        if text.schema_version != 2 || text.media_type.is_some_and(|kind| kind != MANIFEST) {
            return Err(wrong(
                "it is an index, or of another kind than an OCI image manifest",
            ));
        }
        let [layer] = <[Descriptor; 1]>::try_from(text.layers).map_err(|layers| {
            RegistryError::WrongManifest(format!("it has {} layers, not one", layers.len()))
        })?;
        if layer.media_type != COMPONENT_LAYER {
            return Err(RegistryError::WrongManifest(format!(
                "its layer is of type '{}', not {COMPONENT_LAYER}",
                shown(&layer.media_type)
            )));
        }
        let sha256 = layer
            .digest
            .strip_prefix("sha256:")
            .filter(|digest| is_sha256(digest))
            .ok_or_else(|| wrong("the digest of its layer is not SHA-256"))?;
        if layer.size > MAX_COMPONENT {
            return Err(RegistryError::TooLarge {
                what: "component",
                allowed: MAX_COMPONENT,
            });
        }
        let mut annotations = [layer.annotations, text.annotations];
        let signature = annotations
            .iter_mut()
            .find_map(|annotations| annotations.remove(SIGNATURE_ANNOTATION));
        let too_long = |text: &String| u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST_BYTES;
        if signature.as_ref().is_some_and(too_long) {
            return Err(wrong("the text of its signature is too long for one"));
        }
        Ok(Manifest {
            component: Layer {
                sha256: sha256.to_owned(),
                size: layer.size,
            },
            signature,
        })
    }
}

/// What a registry says, in a message: short, and without anything that moves the cursor.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(MOST)
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": "", "size": 2 },
            "layers": [{
                "mediaType": COMPONENT_LAYER,
                "digest": format!("sha256:{}", "a".repeat(64)),
                "size": 8,
            }],
        })
    }

    fn read(manifest: &Value) -> Result<Manifest, RegistryError> {
        Manifest::read(manifest.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_names_one_layer_and_perhaps_a_signature() {
        let plain = read(&manifest()).unwrap();
        assert_eq!((plain.component.size, plain.signature), (8, None));
        let mut signed = manifest();
        signed["annotations"] = json!({ SIGNATURE_ANNOTATION: "text", "other": "x" });
        assert_eq!(read(&signed).unwrap().signature.as_deref(), Some("text"));
        let mut signed = manifest();
        signed["layers"][0]["annotations"] = json!({ SIGNATURE_ANNOTATION: "text" });
        assert_eq!(read(&signed).unwrap().signature.as_deref(), Some("text"));
        let mut older = manifest();
        older.as_object_mut().unwrap().remove("mediaType");
        assert!(read(&older).is_ok(), "the type may be left out");
    }

    #[test]
    fn what_is_no_component_is_refused() {
        let change = |pointer: &str, value: Value| {
            let mut changed = manifest();
            *changed.pointer_mut(pointer).unwrap() = value;
            read(&changed).unwrap_err().to_string()
        };
        for (pointer, value, says) in [
            ("/schemaVersion", json!(1), "index"),
            (
                "/mediaType",
                json!("application/vnd.oci.image.index.v1+json"),
                "index",
            ),
            ("/layers", json!([]), "0 layers"),
            (
                "/layers",
                json!([manifest()["layers"][0], manifest()["layers"][0]]),
                "2 layers",
            ),
            (
                "/layers/0/mediaType",
                json!("application/\u{1b}[31mtar"),
                "\u{fffd}[31mtar",
            ),
            ("/layers/0/digest", json!("sha512:00"), "SHA-256"),
            ("/layers/0/digest", json!("sha256:../../key"), "SHA-256"),
            ("/layers/0/size", json!(-1), "invalid"),
            (
                "/layers/0/size",
                json!(MAX_COMPONENT + 1),
                "larger than 67108864",
            ),
        ] {
            let error = change(pointer, value);
            assert!(error.contains(says), "{pointer}: {error}");
        }
        let mut long = manifest();
        long["annotations"] = json!({ SIGNATURE_ANNOTATION: "x".repeat(20_000) });
        assert!(read(&long).is_err());
        assert!(Manifest::read(b"<html>").is_err());
        assert!(Manifest::read("[".repeat(100_000).as_bytes()).is_err());
    }
}
