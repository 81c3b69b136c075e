//! Lists of revoked components.
//!
//! A digest on a list is refused whatever a lock, a signature or a pipeline file says. The machine
//! has one list, `revoked.toml` in `/etc/weir`, and each user one in the configuration folder; a
//! pipeline may name others. A digest is that of a component, or of the manifest that names it in a registry.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use weir_pipeline::is_sha256;

use crate::error::{Error, Result};
use crate::listed::{Layout, lock_folder_of};

/// The name of the lists of the machine and of the user, in their configuration folders.
pub const REVOKED_FILE: &str = "revoked.toml";

const LAYOUT: Layout = Layout {
    version: 1,
    key: "revoked",
    most_bytes: 16 << 20,
    header: "# Components that may not run. Written by `weir plugin revoke`.\n",
    hint: "what is revoked cannot be known without it: mend the file, or restore it from a copy",
};

/// A list of revoked components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    path: PathBuf,
    entries: Vec<Revoked>,
}

/// A revoked component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// SHA-256 of the component or of its manifest, 64 lower-case hex digits.
    pub sha256: String,
    /// When it was revoked, in RFC 3339.
    pub date: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl RevocationList {
    /// The list in the configuration folder `config`.
    pub fn path_in(config: &Path) -> PathBuf {
        config.join(REVOKED_FILE)
    }

    /// Reads a list; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::WrongFile`]: a list that cannot be read never counts as empty.
    pub fn read(path: &Path) -> Result<Option<RevocationList>> {
        let Some(entries) = LAYOUT.read::<Revoked>(path)? else {
            return Ok(None);
        };
        if let Some(entry) = entries.iter().find(|entry| !is_sha256(&entry.sha256)) {
            let why = format!("'{}' is not 64 lower-case hex digits", entry.sha256);
            return Err(LAYOUT.wrong(path, why));
        }
        Ok(Some(RevocationList {
            path: path.to_owned(),
            entries,
        }))
    }

    /// Changes a list on the disk, which is made if it is missing; nobody else changes it
    /// meanwhile. `change` says whether there is something to write.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::WrongFile`].
    pub fn change(
        path: &Path,
        change: impl FnOnce(&mut RevocationList) -> bool,
    ) -> Result<RevocationList> {
        let _others_wait = lock_folder_of(path)?;
        let mut list = RevocationList::read(path)?.unwrap_or_else(|| RevocationList {
            path: path.to_owned(),
            entries: Vec::new(),
        });
        if change(&mut list) {
            LAYOUT.write(path, &list.entries)?;
        }
        Ok(list)
    }

    /// Revokes a digest now; false if it was revoked already, whose date and reason stay.
    pub fn add(&mut self, sha256: &str, reason: Option<&str>, now: DateTime<Utc>) -> bool {
        if self.find(sha256).is_some() {
            return false;
        }
        self.entries.push(Revoked {
            sha256: sha256.to_owned(),
            date: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            reason: reason.map(str::to_owned),
        });
        true
    }

    /// Takes a digest off the list; false if it was not on it.
    pub fn remove(&mut self, sha256: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.sha256 != sha256);
        self.entries.len() != before
    }

    /// What the list says of a digest.
    pub fn find(&self, sha256: &str) -> Option<&Revoked> {
        self.entries.iter().find(|entry| entry.sha256 == sha256)
    }

    /// Its entries, oldest first.
    pub fn entries(&self) -> &[Revoked] {
        &self.entries
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// All lists that hold for a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Revocations(Vec<RevocationList>);

impl Revocations {
    /// Reads the lists in `folders`, which need not be there, and those that the pipeline names,
    /// which must.
    pub(crate) fn read(folders: [&Option<PathBuf>; 2], named: &[PathBuf]) -> Result<Revocations> {
        let mut lists = Vec::new();
        for folder in folders.into_iter().flatten() {
            lists.extend(RevocationList::read(&RevocationList::path_in(folder))?);
        }
        for path in named {
            lists.push(RevocationList::read(path)?.ok_or_else(|| {
                Error::WrongFile {
                    path: path.clone(),
                    why:
                        "the pipeline names it as a list of revoked components, and it is not there"
                            .to_owned(),
                    hint: "restore it, or take it out of `revoked` of [trust]",
                }
            })?);
        }
        Ok(Revocations(lists))
    }

    /// Fails if a list has `digest`.
    pub(crate) fn check(&self, plugin: &str, digest: &str) -> Result<()> {
        for list in &self.0 {
            if let Some(entry) = list.find(digest) {
                return Err(Error::Revoked {
                    plugin: plugin.to_owned(),
                    digest: entry.sha256.clone(),
                    date: entry.date.clone(),
                    reason: entry.reason.clone(),
                    list: list.path.clone(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn digests_are_put_on_a_list_and_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = RevocationList::path_in(&dir.path().join("config"));
        let now = DateTime::from_timestamp(1_800_000_000, 5).unwrap();
        let add = |digit, reason| {
            let list = RevocationList::change(&path, |list| list.add(&digest(digit), reason, now));
            list.unwrap().entries().len()
        };
        assert_eq!(add('a', Some("leaks \"names\"\nto the log")), 1);
        assert_eq!(add('b', None), 2);
        assert_eq!(add('a', Some("other")), 2, "the first reason stays");
        let list = RevocationList::read(&path).unwrap().unwrap();
        let first = list.find(&digest('a')).unwrap();
        assert_eq!(first.date, "2027-01-15T08:00:00Z");
        assert_eq!(first.reason.as_deref(), Some("leaks \"names\"\nto the log"));
        assert!(RevocationList::change(&path, |list| list.remove(&digest('a'))).is_ok());
        let list = RevocationList::read(&path).unwrap().unwrap();
        assert_eq!(list.find(&digest('a')), None);
        assert_eq!(list.entries().len(), 1);
    }

    #[test]
    fn writers_do_not_lose_each_others_entries() {
        let dir = tempfile::tempdir().unwrap();
        let path = RevocationList::path_in(dir.path());
        std::thread::scope(|scope| {
            for digit in "0123456789abcdef".chars() {
                let path = &path;
                scope.spawn(move || {
                    RevocationList::change(path, |list| list.add(&digest(digit), None, Utc::now()))
                        .unwrap();
                });
            }
        });
        let list = RevocationList::read(&path).unwrap().unwrap();
        assert_eq!(list.entries().len(), 16);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = RevocationList::path_in(dir.path());
        let none = Revocations::read([&None, &Some(dir.path().to_owned())], &[]).unwrap();
        assert!(none.check("p", &digest('a')).is_ok());
        let named = Revocations::read([&None, &None], std::slice::from_ref(&path));
        assert!(matches!(named, Err(Error::WrongFile { .. })), "{named:?}");
        for text in [
            "".to_owned(),
            "version = 2".to_owned(),
            "version = 1\n[[revoked]]\n".to_owned(),
            format!(
                "version = 1\n[[revoked]]\nsha256 = \"{}\"\ndate = \"\"",
                digest('A')
            ),
            format!(
                "version = 1\n[[revoked]]\nsha256 = \"{}\"\ndate = \"\"\nwhy = \"\"",
                digest('a')
            ),
        ] {
            std::fs::write(&path, &text).unwrap();
            let read = Revocations::read([&None, &Some(dir.path().to_owned())], &[]);
            assert!(
                matches!(read, Err(Error::WrongFile { .. })),
                "{text}: {read:?}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(
            Revocations::read([&None, &Some(dir.path().to_owned())], &[]),
            Err(Error::File { .. })
        ));
    }
}
