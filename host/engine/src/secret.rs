//! Secrets, read from where the pipeline file says that they are.

use std::io::Read;
use std::path::Path;

use weir_pipeline::{Fault, Place, SecretSource};

use crate::error::{Error, Result};

/// A secret's file is no larger than this.
const LARGEST_SECRET: u64 = 64 << 10;

/// The value of the secret `name`; files are relative to `dir`.
///
/// # Errors
/// Usage, at `place`, without anything of the value.
pub(crate) fn read(name: &str, source: &SecretSource, dir: &Path, place: &Place) -> Result<String> {
    let fault = |why: String, hint: &str| {
        Error::from(
            Fault::new(format!("secret '{name}': {why}"))
                .at(place)
                .hint(hint),
        )
    };
    match source {
        SecretSource::Env(variable) => std::env::var(variable).map_err(|error| match error {
            std::env::VarError::NotPresent => fault(
                format!("the variable {variable} is not set"),
                "set it where weir is started, or take the secret out of the file",
            ),
            std::env::VarError::NotUnicode(_) => fault(
                format!("the variable {variable} is not UTF-8"),
                "encode the secret as text, for instance in base64",
            ),
        }),
        SecretSource::File(path) => {
            let path = dir.join(path);
            let shown = path.display();
            let hint = "put the secret there, readable by the user that runs weir";
            let unreadable =
                |error: std::io::Error| fault(format!("cannot read '{shown}': {error}"), hint);
            if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
                return Err(fault(format!("'{shown}' is no plain file"), hint));
            }
            let mut text = String::new();
            std::fs::File::open(&path)
                .and_then(|file| file.take(LARGEST_SECRET + 1).read_to_string(&mut text))
                .map_err(unreadable)?;
            if text.len() as u64 > LARGEST_SECRET {
                let why = format!("'{shown}' has more than {LARGEST_SECRET} bytes");
                return Err(fault(why, "a secret is a short text"));
            }
            let text = text
                .strip_suffix("\r\n")
                .or_else(|| text.strip_suffix('\n'))
                .unwrap_or(&text);
            Ok(text.to_owned())
        }
    }
}
