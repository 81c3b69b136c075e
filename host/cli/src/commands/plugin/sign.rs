//! `weir plugin sign`.

use std::io::Cursor;

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
    let boxed = SecretKeyBox::from_string(&text).map_err(|_| wrong("it is not a secret key"))?;
    // Only the text says whether there is a password, and only by failing without one.
    if let Ok(key) = SecretKey::from_unencrypted_box(boxed) {
        return Ok(key);
    }
    let boxed = SecretKeyBox::from_string(&text).map_err(|_| wrong("it is not a secret key"))?;
    let password = password("Password of the key: ")?;
    boxed
        .into_secret_key(Some(password))
        .map_err(|_| wrong("the password is wrong, or the file is no secret key"))
}
