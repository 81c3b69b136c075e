//! `weir plugin keygen`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use minisign::{KeyPair, PError};

use super::password;
use crate::args::KeygenArgs;
use crate::commands::print;
use crate::failure::Failure;

pub(crate) fn run(args: &KeygenArgs) -> Result<u8, Failure> {
    let (secret, public) = (
        args.name.with_added_extension("key"),
        args.name.with_added_extension("pub"),
    );
    // Before anybody thinks of a password.
    for path in [&secret, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
    }
    let pair = match args.no_password {
        true => KeyPair::generate_unencrypted_keypair(),
        false => KeyPair::generate_encrypted_keypair(Some(new_password()?)),
    };
    let pair = pair.map_err(|error| failed(&error))?;
    let secret_text = pair
        .sk
        .to_box(Some("weir secret key"))
        .map_err(|error| failed(&error))?
        .into_string();
    let public_text = pair
        .pk
        .to_box()
        .map_err(|error| failed(&error))?
        .into_string();
    write_new(&secret, &secret_text, 0o600)?;
    write_new(&public, &public_text, 0o644)?;
    eprintln!(
        "wrote {} (keep it secret) and {}; the public key, for keys of [trust]:",
        secret.display(),
        public.display()
    );
    print(&format!("{}\n", pair.pk.to_base64()))?;
    Ok(0)
}

fn new_password() -> Result<String, Failure> {
    let first = password("Password for the new key: ")?;
    if first.is_empty() {
        return Err(Failure::usage("the password is empty")
            .hint("choose one, or say --no-password where something else protects the key"));
    }
    if std::env::var_os(super::PASSWORD).is_none() && password("The same again: ")? != first {
        return Err(Failure::usage("the two passwords differ").hint("run it again"));
    }
    Ok(first)
}

/// Writes a file that is not there yet: a key that is overwritten is lost.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::usage(format!("cannot write '{}': {error}", path.display()))
            .hint("name a place that you may write to"),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("'{}' is there already", path.display()))
        .hint("choose another name; a key that is overwritten is lost")
}

fn failed(error: &PError) -> Failure {
    Failure::new(format!("cannot make a key: {error}"))
}
