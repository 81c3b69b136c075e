//! Files that weir writes for itself and people read: TOML with a version and a list of entries.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::{file, private};

/// How one kind of file is laid out.
pub(crate) struct Layout {
    /// The version that is written, and the only one read.
    pub(crate) version: u32,
    /// The key of the list.
    pub(crate) key: &'static str,
    /// The largest file that is read.
    pub(crate) most_bytes: u64,
    /// A comment for the first line.
    pub(crate) header: &'static str,
    /// What to do about a file that cannot be read.
    pub(crate) hint: &'static str,
}

impl Layout {
    /// The entries of a file; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::WrongFile`] if it is not laid out like this.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<Vec<T>>> {
        let Some(text) = file::text(path, self.most_bytes, self.hint)? else {
            return Ok(None);
        };
        let wrong = |error: toml::de::Error| self.wrong(path, error.message());
        let mut table: Table = toml::from_str(&text).map_err(wrong)?;
        // First of all: what another version means by the rest is not known here.
        match table.remove("version") {
            Some(Value::Integer(version)) if version == i64::from(self.version) => {}
            Some(version) => {
                let why = format!(
                    "it is of version {version}, and this weir reads {}",
                    self.version
                );
                return Err(self.wrong(path, why));
            }
            None => return Err(self.wrong(path, "it has no `version`")),
        }
        let entries = table.remove(self.key);
        if let Some(unknown) = table.keys().next() {
            return Err(self.wrong(path, format!("it has an unknown key `{unknown}`")));
        }
        let entries = entries.unwrap_or_else(|| Value::Array(Vec::new()));
        entries.try_into().map(Some).map_err(wrong)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn write<T: Serialize>(&self, path: &Path, entries: &[T]) -> Result<()> {
        let text = self.render(path, entries)?;
        private::replace(path, text.as_bytes(), false)
    }

    /// What [`Layout::write`] writes.
    pub(crate) fn render<T: Serialize>(&self, path: &Path, entries: &[T]) -> Result<String> {
        let mut list = Table::new();
        let value =
            Value::try_from(entries).map_err(|error| self.wrong(path, error.to_string()))?;
        list.insert(self.key.to_owned(), value);
        let (header, version) = (self.header, self.version);
        Ok(format!("{header}version = {version}\n\n{list}"))
    }

    pub(crate) fn wrong(&self, path: &Path, why: impl Into<String>) -> Error {
        Error::WrongFile {
            path: path.to_owned(),
            why: why.into(),
            hint: self.hint,
        }
    }
}

/// Keeps others who call this from changing the file at `path` until what is returned is dropped. The
/// file itself is replaced by each writer, so that its folder is what is locked; it is made if it is
/// missing. Some network filesystems lock no folders: there the last writer wins.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn lock_folder_of(path: &Path) -> Result<Option<File>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |what, source| Error::File {
        what,
        path: folder.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(|source| failed("make", source))?;
    let guard = File::open(folder).map_err(|source| failed("open", source))?;
    match guard.lock() {
        Ok(()) => Ok(Some(guard)),
        Err(error) if cannot_lock(&error) => Ok(None),
        Err(error) => Err(failed("lock", error)),
    }
}

fn cannot_lock(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let no_folders = error.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error());
    #[cfg(not(unix))]
    let no_folders = error.kind() == ErrorKind::PermissionDenied;
    no_folders || error.kind() == ErrorKind::Unsupported
}
