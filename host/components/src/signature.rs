//! Detached signatures in the form of minisign: ed25519 over a hash of the component.
//!
//! A signature is a text of four lines, in a file `COMPONENT.wasm.minisig` or in the manifest of
//! a registry. The first line is a comment that nothing vouches for, and Weir never shows it; all
//! else is covered: a signature of which any other byte was changed is wrong.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::Error as Minisign;
use weir_pipeline::TrustedKey;

use crate::error::{Error, LEGACY, Result};

/// The ending of a signature's file, after that of the component.
pub const SIGNATURE_ENDING: &str = "minisig";

/// The largest text that can be a signature, in bytes.
pub const MOST_BYTES: u64 = 16 << 10;

/// A public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    id: String,
}

/// A signature that was read, and not held against anything yet.
pub struct Signature {
    signature: minisign_verify::Signature,
    key_id: String,
}

impl PublicKey {
    /// Reads a key in minisign's form: 56 characters of base64. None if it is no key.
    pub fn parse(text: &str) -> Option<PublicKey> {
        let key = minisign_verify::PublicKey::from_base64(text).ok()?;
        Some(PublicKey {
            key,
            id: key_id(text)?,
        })
    }

    /// Its identifier as minisign prints it: 16 upper-case hex digits. It tells keys apart, and
    /// proves nothing.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Holds a signature against a component.
    ///
    /// # Errors
    /// Why it is wrong, in a few words.
    pub fn verify(&self, component: &[u8], signature: &Signature) -> Result<(), &'static str> {
        self.key
            .verify(component, &signature.signature, false)
            .map_err(|error| why(&error))
    }
}

impl Signature {
    /// Reads a signature's text.
    ///
    /// # Errors
    /// Why it is none, in a few words.
    pub fn parse(text: &str) -> Result<Signature, &'static str> {
        // What follows the fourth line would be covered by nothing.
        let mut lines = text.lines();
        let key_id = lines.by_ref().nth(1).and_then(key_id);
        if lines.nth(2).is_some() {
            return Err("it has more than four lines");
        }
        let signature = minisign_verify::Signature::decode(text).map_err(|error| why(&error))?;
        Ok(Signature {
            signature,
            key_id: key_id.ok_or("it is not a minisign signature")?,
        })
    }

    /// The identifier of the key that made it, as [`PublicKey::id`].
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The comment that the signature covers.
    pub fn trusted_comment(&self) -> &str {
        self.signature.trusted_comment()
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signature")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn why(error: &Minisign) -> &'static str {
    match error {
        Minisign::InvalidSignature => "the component is not the one that was signed",
        Minisign::UnexpectedKeyId => "it was made by another key",
        Minisign::UnexpectedAlgorithm | Minisign::UnsupportedLegacyMode => LEGACY,
        Minisign::InvalidEncoding | Minisign::UnsupportedAlgorithm | Minisign::IoError(_) => {
            "it is not a minisign signature"
        }
    }
}

/// The identifier in a key or signature: eight bytes after the two of the algorithm, least
/// significant first.
fn key_id(base64: &str) -> Option<String> {
    let bytes = STANDARD.decode(base64).ok()?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// Who signed a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key's name in `[trust]`.
    pub name: String,
    /// The key's identifier.
    pub key_id: String,
}

/// The keys that a pipeline trusts, and what it demands of them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    keys: BTreeMap<String, PublicKey>,
    required: bool,
}

/// A signature's text, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) place: String,
}

impl Keys {
    pub(crate) fn read(keys: &BTreeMap<String, TrustedKey>, required: bool) -> Result<Keys> {
        let keys = keys
            .iter()
            .map(|(name, key)| match PublicKey::parse(&key.text) {
                Some(key) => Ok((name.clone(), key)),
                None => Err(Error::WrongKey {
                    name: name.clone(),
                    place: Box::new(key.place.clone()),
                }),
            })
            .collect::<Result<_>>()?;
        Ok(Keys { keys, required })
    }

    /// Who signed a component; none if nobody did who is trusted, and nobody has to.
    ///
    /// # Errors
    /// [`Error::WrongSignature`] for every signature that is there and wrong, demanded or not;
    /// [`Error::Unsigned`] and [`Error::OtherSigner`] where one is demanded.
    pub(crate) fn judge(
        &self,
        plugin: &str,
        signed_by: Option<&str>,
        component: &[u8],
        found: Option<&Found>,
        looked_for: &str,
    ) -> Result<Option<Signer>> {
        let demand = match signed_by {
            Some(name) => Some(format!("the file demands that '{name}' signed it")),
            None if self.required => Some(format!(
                "require_signature demands one of: {}",
                self.keys
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            None => None,
        };
        let Some(found) = found else {
            return match demand {
                None => Ok(None),
                Some(demand) => Err(Error::Unsigned {
                    plugin: plugin.to_owned(),
                    demand,
                    looked_for: looked_for.to_owned(),
                }),
            };
        };
        let wrong = |why| Error::WrongSignature {
            plugin: plugin.to_owned(),
            where_from: found.place.clone(),
            why,
        };
        let signature = Signature::parse(&found.text).map_err(wrong)?;
        // Identifiers are random, and nothing keeps two keys from having the same.
        let mut mismatch = None;
        let mut signer = None;
        for (name, key) in &self.keys {
            if key.id() != signature.key_id() {
                continue;
            }
            match key.verify(component, &signature) {
                // Of two names for one key the one that is asked for counts.
                Ok(()) if signer.is_none() || signed_by == Some(name) => {
                    signer = Some(Signer {
                        name: name.clone(),
                        key_id: key.id().to_owned(),
                    });
                }
                Ok(()) => {}
                Err(why) => mismatch = Some(why),
            }
        }
        match (signer, mismatch, demand) {
            (Some(signer), _, Some(demand))
                if signed_by.is_some_and(|name| name != signer.name) =>
            {
                Err(Error::OtherSigner {
                    plugin: plugin.to_owned(),
                    found: format!("{} ('{}')", signer.key_id, signer.name),
                    demand,
                })
            }
            (Some(signer), _, _) => Ok(Some(signer)),
            (None, Some(why), _) => Err(wrong(why)),
            (None, None, Some(demand)) => Err(Error::OtherSigner {
                plugin: plugin.to_owned(),
                found: signature.key_id().to_owned(),
                demand,
            }),
            (None, None, None) => {
                tracing::warn!(
                    plugin,
                    key = signature.key_id(),
                    "signed by a key that the pipeline does not trust; taken as unsigned"
                );
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
#[path = "signature/tests.rs"]
mod tests;
