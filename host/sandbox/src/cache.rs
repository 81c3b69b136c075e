//! The compile cache: native code kept between runs, in a directory that only its owner may touch.
//!
//! A cached file is machine code that will run in this process, so it is used only if it carries a
//! valid HMAC-SHA-256 under a random key that lives beside it, readable by the owner alone. Whoever
//! can read the key can already act as the owner. What is authenticated is the copy in memory that is
//! then executed, never the file a second time.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::SandboxError;

/// Raised whenever the files' layout or meaning changes.
const FORMAT: &[u8] = b"weir-cwasm-1";
const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// A directory of authenticated compiled components.
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens `directory`, creating it with mode 0700 and a new key if it does not exist.
    pub(crate) fn open(directory: &Path) -> Result<Cache, SandboxError> {
        create_private(directory).map_err(|error| failed(directory, &error.to_string()))?;
        check_private(directory, true)?;
        let path = directory.join(KEY_FILE);
        if let Err(error) = fs::symlink_metadata(&path) {
            if error.kind() != ErrorKind::NotFound {
                return Err(failed(&path, &error.to_string()));
            }
            create_key(directory, &path)?;
        }
        check_private(&path, false)?;
        let key = fs::read(&path).map_err(|error| failed(&path, &error.to_string()))?;
        let key = key
            .try_into()
            .map_err(|_| failed(&path, "it is not a key of 32 bytes"))?;
        Ok(Cache {
            directory: directory.to_owned(),
            key,
        })
    }

    /// The compiled form of the component with digest `digest`; none if there is none that can be
    /// trusted.
    pub(crate) fn get(&self, engine: &Engine, digest: &[u8]) -> Option<Component> {
        let name = entry_name(engine, digest);
        let path = self.directory.join(&name);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read cached code; compiling");
                return None;
            }
        };
        let code = match self.authentic(&name, &file) {
            Ok(code) => code,
            Err(why) => {
                self.discard(&path, why);
                return None;
            }
        };
        // The MAC was computed over these very bytes in memory, under a key that only this user can
        // read, by `put`, which writes only what a compiler of this program made; and the name, which
        // the MAC covers, binds them to this engine's version and settings.
        match load(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                self.discard(&path, &error.to_string());
                None
            }
        }
    }

    /// Keeps `code`, which a compiler of this program made. A failure is logged and otherwise harmless.
    pub(crate) fn put(&self, engine: &Engine, digest: &[u8], code: &[u8]) {
        let name = entry_name(engine, digest);
        let path = self.directory.join(&name);
        let mac = self.mac(&name, code).finalize().into_bytes();
        let written = write_new(&self.directory, &[&mac, code]).and_then(|temporary| {
            fs::rename(&temporary, &path).inspect_err(|_| {
                let _ = fs::remove_file(&temporary);
            })
        });
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "cannot cache compiled code");
        }
    }

    /// The code in the bytes of the file `name`, if this user's `put` wrote them for that name.
    fn authentic<'f>(&self, name: &str, file: &'f [u8]) -> Result<&'f [u8], &'static str> {
        let (mac, code) = file.split_at_checked(MAC_BYTES).ok_or("it is too short")?;
        match self.mac(name, code).verify_slice(mac) {
            Ok(()) => Ok(code),
            Err(_) => Err("its authentication code is wrong"),
        }
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(FORMAT);
        mac.update(name.as_bytes());
        mac.update(code);
        mac
    }

    fn discard(&self, path: &Path, why: &str) {
        tracing::warn!(path = %path.display(), why, "cached code cannot be trusted; discarded, compiling");
        let _ = fs::remove_file(path);
    }
}

/// Makes a component of `code`: what wasmtime's compiler made for this engine, here, in a child of this
/// program, or in an earlier run of it whose copy was authenticated. Never anything else.
#[expect(
    unsafe_code,
    reason = "running compiled code from outside has no safe interface"
)]
pub(crate) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` demands bytes that wasmtime's compiler made; the callers have seen to it.
    unsafe { Component::deserialize(engine, code) }
}

/// The file name for a component under an engine: 64 hex digits.
fn entry_name(engine: &Engine, digest: &[u8]) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    hasher.write(FORMAT);
    hasher.write(digest);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex(&hasher.0.finalize())
}

/// Hex digits of `bytes`, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Lets wasmtime's compatibility hash feed a hash that is stable between processes.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn finish(&self) -> u64 {
        self.0
            .clone()
            .finalize()
            .first_chunk()
            .copied()
            .map_or(0, u64::from_le_bytes)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Writes `parts` to a new private file and returns its path.
fn write_new(directory: &Path, parts: &[&[u8]]) -> std::io::Result<PathBuf> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(|error| std::io::Error::other(error.to_string()))?;
    let path = directory.join(format!("new-{}", hex(&unique)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&path)?;
    let written = parts
        .iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Creates the key file, unless another process does so first.
fn create_key(directory: &Path, path: &Path) -> Result<(), SandboxError> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| failed(path, &error.to_string()))?;
    let temporary =
        write_new(directory, &[&key]).map_err(|error| failed(path, &error.to_string()))?;
    // A link fails where a rename would replace the key of whoever came first.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(failed(path, &error.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn create_private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Refuses what is not a plain directory (or file) of this user's that nobody else can touch.
#[cfg(unix)]
fn check_private(path: &Path, directory: bool) -> Result<(), SandboxError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path).map_err(|error| failed(path, &error.to_string()))?;
    let kind = metadata.file_type();
    if (directory && !kind.is_dir()) || (!directory && !kind.is_file()) {
        return Err(failed(
            path,
            if directory {
                "it is not a directory"
            } else {
                "it is not a plain file"
            },
        ));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(failed(path, "it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(failed(
            path,
            &format!(
                "others have access to it (mode {:o})",
                metadata.mode() & 0o7777
            ),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn create_private(_directory: &Path) -> std::io::Result<()> {
    Err(std::io::Error::new(
        ErrorKind::Unsupported,
        "this platform has no file modes to protect it",
    ))
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _directory: bool) -> Result<(), SandboxError> {
    Ok(())
}

fn failed(path: &Path, why: &str) -> SandboxError {
    SandboxError::Cache {
        path: path.display().to_string(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
