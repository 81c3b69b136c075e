//! Files that are written whole or not at all, and folders of this user's alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Replaces a file: whoever reads it sees all of the old content or all of the new.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn replace(path: &Path, content: &[u8], private: bool) -> Result<()> {
    let failed = |source| Error::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    let (temporary, mut file) = beside(path, private).map_err(failed)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

/// A new file in the folder of `path`, under a name that nobody else uses.
fn beside(path: &Path, private: bool) -> io::Result<(PathBuf, File)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    // The process and the moment tell writers apart; `create_new` settles what they do not.
    let moment = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if private { 0o600 } else { 0o644 });
    }
    for attempt in 0..16u32 {
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{moment}-{attempt}", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match options.open(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (temporary, file)),
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// Makes a folder that only this user may touch, or sees that it is one.
///
/// # Errors
/// [`Error::File`], [`Error::NotPrivate`].
pub(crate) fn folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|source| Error::File {
        what: "make",
        path: path.to_owned(),
        source,
    })?;
    check(path)
}

#[cfg(unix)]
fn check(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path).map_err(|source| Error::File {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    let why = if !metadata.is_dir() {
        "it is not a folder".to_owned()
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another user".to_owned()
    } else if metadata.mode() & 0o077 != 0 {
        format!(
            "others have access to it (mode {:o})",
            metadata.mode() & 0o7777
        )
    } else {
        return Ok(());
    };
    Err(Error::NotPrivate {
        path: path.to_owned(),
        why,
    })
}

#[cfg(not(unix))]
fn check(_path: &Path) -> Result<()> {
    Ok(())
}
