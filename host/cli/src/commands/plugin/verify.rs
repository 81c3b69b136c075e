//! `weir plugin verify`.

use std::path::Path;

use serde_json::json;
use weir_components::sha256;
use weir_components::signature::{PublicKey, Signature};

use super::{component, signature_of, text};
use crate::args::{Output, VerifyArgs};
use crate::commands::{print, print_json};
use crate::failure::Failure;

pub(crate) fn run(args: &VerifyArgs) -> Result<u8, Failure> {
    let bytes = component(&args.file)?;
    let key = public_key(&args.key)?;
    let path = match &args.signature {
        Some(path) => path.clone(),
        None => signature_of(&args.file),
    };
    let text = text(
        &path,
        "sign it with `weir plugin sign`, or name the signature with --signature",
    )?;
    let wrong = |why: &str| {
        Failure::new(format!(
            "the signature '{}' is wrong: {why}",
            path.display()
        ))
        .hint("get component and signature anew from the plugin's author; do not run it")
    };
    let signature = Signature::parse(&text).map_err(wrong)?;
    if signature.key_id() != key.id() {
        return Err(Failure::new(format!(
            "'{}' was made by key {}, not by {}",
            path.display(),
            signature.key_id(),
            key.id()
        ))
        .hint("give the public key of whoever signed it"));
    }
    key.verify(&bytes, &signature).map_err(wrong)?;
    let digest = sha256(&bytes);
    match args.output {
        Output::Text => print(&format!(
            "signed\n  key      {}\n  sha256   {digest}\n  comment  {}\n",
            key.id(),
            signature.trusted_comment().escape_debug(),
        ))?,
        Output::Json => print_json(&json!({
            "key": key.id(),
            "sha256": digest,
            "comment": signature.trusted_comment(),
        }))?,
    }
    Ok(0)
}

/// A key as it stands in a pipeline file, or the file that has it.
fn public_key(given: &str) -> Result<PublicKey, Failure> {
    let hint = "give the 56 characters that begin with RW, or the .pub file that has them";
    if let Some(key) = PublicKey::parse(given) {
        return Ok(key);
    }
    let text = text(Path::new(given), hint)?;
    text.lines()
        .find_map(|line| PublicKey::parse(line.trim()))
        .ok_or_else(|| Failure::usage(format!("there is no public key in '{given}'")).hint(hint))
}
