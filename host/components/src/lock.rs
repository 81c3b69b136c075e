//! `weir.lock`: what each plugin was when it was locked.
//!
//! One file beside the pipeline files of a folder. It is written by `weir plugin lock`, in a stable
//! order, and is meant to be committed and read in diffs. An entry belongs to one plugin of one
//! pipeline, by its name. What an entry says always holds: another source or digest is an error.
//! Whether there must be an entry is for [`LockUse`](crate::LockUse) to say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_pipeline::is_sha256;

use crate::error::Result;
use crate::listed::{Layout, lock_folder_of};

/// The file's name.
pub const LOCK_FILE: &str = "weir.lock";

const LAYOUT: Layout = Layout {
    version: 1,
    key: "plugin",
    most_bytes: 1 << 20,
    header: "# What each plugin was when it was locked. Written by `weir plugin lock`; commit it, do not edit it.\n",
    hint: "write it anew with `weir plugin lock PIPELINE`; if it came out of a merge, settle the conflict first",
};

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Where it lies.
    path: PathBuf,
    entries: Vec<Locked>,
}

/// What one plugin was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The pipeline's name.
    pub pipeline: String,
    /// The plugin's name in it.
    pub plugin: String,
    /// Its source, as the pipeline file has it.
    pub source: String,
    /// The component's SHA-256, 64 lower-case hex digits.
    pub sha256: String,
    /// The component's size in bytes.
    pub bytes: u64,
    /// The identifier of the key that signed it, where it was signed by a trusted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

impl Lock {
    /// The lock file for pipelines in `dir`.
    pub fn path_in(dir: &Path) -> PathBuf {
        dir.join(LOCK_FILE)
    }

    /// A lock without entries, which is not written yet.
    fn empty(path: PathBuf) -> Lock {
        Lock {
            path,
            entries: Vec::new(),
        }
    }

    /// Reads a lock; none if there is no such file.
    ///
    /// # Errors
    /// [`File`](crate::Error::File); [`WrongFile`](crate::Error::WrongFile) if it is no lock, of
    /// another version, or names a plugin twice.
    pub fn read(path: &Path) -> Result<Option<Lock>> {
        let Some(entries) = LAYOUT.read::<Locked>(path)? else {
            return Ok(None);
        };
        let wrong = |why: String| LAYOUT.wrong(path, why);
        for (index, entry) in entries.iter().enumerate() {
            if !is_sha256(&entry.sha256) {
                return Err(wrong(format!(
                    "the digest of plugin '{}' is not 64 lower-case hex digits",
                    entry.plugin
                )));
            }
            let same = |other: &Locked| other.key() == entry.key();
            if entries.iter().take(index).any(same) {
                return Err(wrong(format!(
                    "it names plugin '{}' of pipeline '{}' twice",
                    entry.plugin, entry.pipeline
                )));
            }
        }
        Ok(Some(Lock {
            path: path.to_owned(),
            entries,
        }))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its entries, by pipeline and plugin.
    pub fn entries(&self) -> &[Locked] {
        &self.entries
    }

    /// What it says of a plugin.
    pub fn entry(&self, pipeline: &str, plugin: &str) -> Option<&Locked> {
        self.entries
            .iter()
            .find(|entry| entry.key() == (pipeline, plugin))
    }

    /// Replaces all entries of `pipeline`, and leaves those of other pipelines.
    fn replace(&mut self, pipeline: &str, entries: Vec<Locked>) {
        self.entries.retain(|entry| entry.pipeline != pipeline);
        self.entries.extend(entries);
        self.entries.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// Writes the entries of one pipeline to the lock at `path`, which is made if it is missing, and
    /// leaves those of others; nobody else changes it meanwhile. What it was before comes back with what
    /// it is now.
    ///
    /// # Errors
    /// Those of [`Lock::read`].
    pub fn change(
        path: &Path,
        pipeline: &str,
        entries: Vec<Locked>,
    ) -> Result<(Option<Lock>, Lock)> {
        let _others_wait = lock_folder_of(path)?;
        let before = Lock::read(path)?;
        let mut lock = before
            .clone()
            .unwrap_or_else(|| Lock::empty(path.to_owned()));
        lock.replace(pipeline, entries);
        LAYOUT.write(path, &lock.entries)?;
        Ok((before, lock))
    }
}

impl Locked {
    fn key(&self) -> (&str, &str) {
        (&self.pipeline, &self.plugin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn entry(pipeline: &str, plugin: &str) -> Locked {
        Locked {
            pipeline: pipeline.to_owned(),
            plugin: plugin.to_owned(),
            source: format!("../{plugin}.wasm"),
            sha256: "0".repeat(64),
            bytes: 8,
            signer: None,
        }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written_whatever_the_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = Lock::path_in(dir.path());
        assert_eq!(Lock::read(&path).unwrap(), None);
        let mut lock = Lock::empty(path.clone());
        lock.replace("b", vec![entry("b", "y"), entry("b", "x")]);
        lock.replace(
            "a",
            vec![Locked {
                signer: Some("0123456789ABCDEF".to_owned()),
                ..entry("a", "x")
            }],
        );
        LAYOUT.write(&path, &lock.entries).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = format!(
            "{1}version = 1\n\n[[plugin]]\npipeline = \"a\"\nplugin = \"x\"\nsource = \"../x.wasm\"\n\
             sha256 = \"{0}\"\nbytes = 8\nsigner = \"0123456789ABCDEF\"\n\n[[plugin]]\npipeline = \"b\"\n\
             plugin = \"x\"\nsource = \"../x.wasm\"\nsha256 = \"{0}\"\nbytes = 8\n\n[[plugin]]\npipeline = \"b\"\n\
             plugin = \"y\"\nsource = \"../y.wasm\"\nsha256 = \"{0}\"\nbytes = 8\n",
            "0".repeat(64),
            LAYOUT.header
        );
        assert_eq!(text, expected);
        let mut read = Lock::read(&path).unwrap().unwrap();
        assert_eq!(read, lock);
        // Locking one pipeline leaves the other's entries, and drops what it no longer uses.
        read.replace("b", vec![entry("b", "z")]);
        let keys: Vec<_> = read.entries().iter().map(Locked::key).collect();
        assert_eq!(keys, [("a", "x"), ("b", "z")]);
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "no temporary file is left");
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = Lock::path_in(dir.path());
        let sound = {
            let mut lock = Lock::empty(path.clone());
            lock.replace("a", vec![entry("a", "x")]);
            LAYOUT.render(&path, &lock.entries).unwrap()
        };
        let twice = format!(
            "{sound}{}",
            sound.split_once("\n\n").map(|(_, entry)| entry).unwrap()
        );
        for (text, says) in [
            ("version = 2\n".to_owned(), "version 2"),
            ("".to_owned(), "version"),
            ("<<<<<<< HEAD\n".to_owned(), ""),
            (twice, "twice"),
            (sound.replace("bytes = 8", "bytes = -8"), ""),
            (sound.replace("bytes = 8\n", ""), "bytes"),
            (sound.replace("bytes", "bites"), "bites"),
            (sound.replace("0000", "000G"), "hex digits"),
            (sound.replace("0000", "000"), "hex digits"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Lock::read(&path).unwrap_err();
            assert!(error.to_string().contains(says), "{error}\n{text}");
            assert!(
                error.hint().contains("weir plugin lock"),
                "{}",
                error.hint()
            );
        }
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(Lock::read(&path), Err(Error::WrongFile { .. })));
        std::fs::write(&path, "#".repeat(2 << 20)).unwrap();
        assert!(matches!(Lock::read(&path), Err(Error::WrongFile { .. })));
    }

    #[test]
    fn pipelines_that_are_locked_at_once_do_not_lose_each_others_entries() {
        let dir = tempfile::tempdir().unwrap();
        let path = Lock::path_in(dir.path());
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let path = &path;
                scope.spawn(move || Lock::change(path, name, vec![entry(name, "x")]).unwrap());
            }
        });
        assert_eq!(Lock::read(&path).unwrap().unwrap().entries().len(), 8);
    }
}
