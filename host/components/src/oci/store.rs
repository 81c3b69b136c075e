//! What was fetched from registries, by its digest.
//!
//! The folder is the user's alone, for what a registry gave only to who is logged in is nobody
//! else's. Nothing is trusted for lying there: each file is hashed again whenever it is read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{file, private, sha256};

#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// A folder that is made when there is something to keep.
    pub(super) fn at(folder: &Path) -> Store {
        Store {
            folder: folder.to_owned(),
        }
    }

    /// The content with digest `digest`; none if it is not there, larger than `most` bytes, or no
    /// longer what it was.
    pub(super) fn get(&self, digest: &str, most: u64) -> Option<Vec<u8>> {
        let path = self.folder.join(digest);
        match file::read_at_most(&path, most) {
            Ok(Some(bytes)) if sha256(&bytes) == digest => Some(bytes),
            Ok(_) => {
                tracing::warn!(path = %path.display(), "a kept component was changed; discarded");
                let _ = std::fs::remove_file(&path);
                None
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read a kept component");
                None
            }
        }
    }

    /// Keeps content whose digest was found right. A failure is logged and otherwise harmless.
    pub(super) fn put(&self, digest: &str, bytes: &[u8]) {
        let kept = private::folder(&self.folder)
            .and_then(|()| private::replace(&self.folder.join(digest), bytes, true));
        if let Err(error) = kept {
            tracing::warn!(%error, hint = error.hint(), "a component from a registry is not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("components");
        let store = Store::at(&folder);
        let content = b"a component";
        let digest = sha256(content);
        assert_eq!(store.get(&digest, 100), None);
        store.put(&digest, content);
        assert_eq!(store.get(&digest, 100).as_deref(), Some(&content[..]));
        for at in 0..content.len() {
            let mut changed = content.to_vec();
            changed[at] ^= 1;
            std::fs::write(folder.join(&digest), changed).unwrap();
            assert_eq!(store.get(&digest, 100), None, "byte {at}");
            assert!(!folder.join(&digest).exists(), "it is discarded");
        }
        store.put(&digest, content);
        assert_eq!(store.get(&digest, 4), None, "larger than it may be");
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_the_users_alone() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/components");
        let store = Store::at(&folder);
        let digest = sha256(b"x");
        store.put(&digest, b"x");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(&digest)), 0o600);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).unwrap();
        let other = sha256(b"y");
        store.put(&other, b"y");
        assert!(!folder.join(&other).exists(), "others may read there");
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        Store::at(&link).put(&other, b"y");
        assert!(
            !dir.path().join(&other).exists(),
            "a link can point anywhere"
        );
    }
}
