//! `weir.lock`: what each plugin was when it was locked.
//!
//! One file beside the pipeline files of a folder. It is written by `weir plugin lock`, in a stable
//! order, and is meant to be committed and read in diffs. An entry belongs to one plugin of one
//! pipeline, by its name. What an entry says always holds: another source or digest is an error.
//! Whether there must be an entry is for [`LockUse`](crate::LockUse) to say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_pipeline::is_sha256;

use crate::error::{Error, Result};
use crate::{file, private};

/// The file's name.
pub const LOCK_FILE: &str = "weir.lock";

/// The layout that this version reads and writes.
const VERSION: u32 = 1;
const MOST_BYTES: u64 = 1 << 20;
const HINT: &str = "write it anew with `weir plugin lock PIPELINE`; if it came out of a merge, settle the conflict first";
const HEADER: &str = "\
# What each plugin was when it was locked. Written by `weir plugin lock`; commit it, do not edit it.
";

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    #[serde(default, rename = "plugin")]
    entries: Vec<Locked>,
}

impl Lock {
    /// The lock file for pipelines in `dir`.
    pub fn path_in(dir: &Path) -> PathBuf {
        dir.join(LOCK_FILE)
    }

    /// A lock without entries, which is not written yet.
    pub fn empty(path: PathBuf) -> Lock {
        Lock {
            path,
            entries: Vec::new(),
        }
    }

    /// Reads a lock; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::WrongFile`] if it is no lock, of another version, or names a
    /// plugin twice.
    pub fn read(path: &Path) -> Result<Option<Lock>> {
        let Some(text) = file::text(path, MOST_BYTES, HINT)? else {
            return Ok(None);
        };
        let wrong = |why: String| Error::WrongFile {
            path: path.to_owned(),
            why,
            hint: HINT,
        };
        let text: Text =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        if text.version != VERSION {
            return Err(wrong(format!(
                "it is of version {}, and this weir reads {VERSION}",
                text.version
            )));
        }
        for (index, entry) in text.entries.iter().enumerate() {
            if !is_sha256(&entry.sha256) {
                return Err(wrong(format!(
                    "the digest of plugin '{}' is not 64 lower-case hex digits",
                    entry.plugin
                )));
            }
            let same = |other: &Locked| other.key() == entry.key();
            if text.entries.iter().take(index).any(same) {
                return Err(wrong(format!(
                    "it names plugin '{}' of pipeline '{}' twice",
                    entry.plugin, entry.pipeline
                )));
            }
        }
        Ok(Some(Lock {
            path: path.to_owned(),
            entries: text.entries,
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
    pub fn replace(&mut self, pipeline: &str, entries: Vec<Locked>) {
        self.entries.retain(|entry| entry.pipeline != pipeline);
        self.entries.extend(entries);
        self.entries.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self) -> Result<()> {
        private::replace(&self.path, self.render()?.as_bytes(), false)
    }

    fn render(&self) -> Result<String> {
        let text = Text {
            version: VERSION,
            entries: self.entries.clone(),
        };
        let text = toml::to_string(&text).map_err(|error| Error::WrongFile {
            path: self.path.clone(),
            why: error.to_string(),
            hint: HINT,
        })?;
        Ok(format!("{HEADER}{text}"))
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
        lock.write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = format!(
            "{HEADER}version = 1\n\n[[plugin]]\npipeline = \"a\"\nplugin = \"x\"\nsource = \"../x.wasm\"\n\
             sha256 = \"{0}\"\nbytes = 8\nsigner = \"0123456789ABCDEF\"\n\n[[plugin]]\npipeline = \"b\"\n\
             plugin = \"x\"\nsource = \"../x.wasm\"\nsha256 = \"{0}\"\nbytes = 8\n\n[[plugin]]\npipeline = \"b\"\n\
             plugin = \"y\"\nsource = \"../y.wasm\"\nsha256 = \"{0}\"\nbytes = 8\n",
            "0".repeat(64)
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
            lock.render().unwrap()
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
}
