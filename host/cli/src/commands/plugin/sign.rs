//! `weir plugin sign`.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{SecretKey, SecretKeyBox};

use super::{component, password, signature_of, text};
use crate::args::SignArgs;
use crate::failure::Failure;

pub(crate) fn run(args: &SignArgs) -> Result<u8, Failure> {
    let bytes = component(&args.file)?;
    let key = secret_key(args)?;
    let name = args
        .file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let comment = match &args.comment {
        Some(comment) => comment.clone(),
        // As minisign itself writes it.
        None => format!(
            "timestamp:{}\tfile:{name}\thashed",
            chrono::Utc::now().timestamp()
        ),
    };
    if comment.chars().any(char::is_control) && args.comment.is_some() {
        return Err(Failure::usage("the comment has control characters").hint("write one line"));
    }
    let signature = minisign::sign(
        None,
        &key,
        Cursor::new(bytes),
        Some(&comment),
        Some("signature of a weir plugin"),
    )
    .map_err(|error| Failure::new(format!("cannot sign: {error}")))?;
    let path = match &args.signature {
        Some(path) => path.clone(),
        None => signature_of(&args.file),
    };
    std::fs::write(&path, signature.into_string()).map_err(|error| {
        Failure::usage(format!("cannot write '{}': {error}", path.display()))
            .hint("name a place that you may write to with --signature")
    })?;
    eprintln!("wrote {}", path.display());
    Ok(0)
}

fn secret_key(args: &SignArgs) -> Result<SecretKey, Failure> {
    let hint = "give the .key file that `weir plugin keygen` or `minisign -G` made";
    let text = text(&args.key, hint)?;
    let wrong = |why: &str| {
        Failure::usage(format!("cannot use key '{}': {why}", args.key.display())).hint(hint)
    };
    let no_key = || wrong("it is not a secret key");
    let bytes = text
        .lines()
        .nth(1)
        .and_then(|line| STANDARD.decode(line.trim()).ok())
        .filter(|bytes| bytes.len() == KEY_BYTES)
        .ok_or_else(no_key)?;
    let boxed = SecretKeyBox::from_string(&text).map_err(|_| no_key())?;
    match bytes.get(KEY_DERIVATION) {
        Some(b"Sc") => {
            let password = password("Password of the key: ")?;
            boxed
                .into_secret_key(Some(password))
                .map_err(|_| wrong("the password is wrong"))
        }
        // The C program leaves the checksum of a key without a password empty, which the crate
        // takes for a corrupted one.
        Some(b"\0\0") if bytes.ends_with(&[0; CHECKSUM_BYTES]) => {
            SecretKey::from_bytes(&bytes).map_err(|_| no_key())
        }
        Some(b"\0\0") => boxed
            .into_unencrypted_secret_key()
            .map_err(|_| wrong("it was changed since it was made")),
        _ => Err(no_key()),
    }
}

/// The length of a secret key.
const KEY_BYTES: usize = 158;

/// The bytes of a secret key that say how its password becomes a key: `Sc` by scrypt, zeros if it
/// has none.
const KEY_DERIVATION: std::ops::Range<usize> = 2..4;

/// A secret key ends with a checksum.
const CHECKSUM_BYTES: usize = 32;
