//! Files whose change is waited for.
//!
//! They are looked at again and again rather than watched by the system: a plugin has few files, and what a system
//! tells differs between them, and is nothing in containers with mounted folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders in which nobody writes by hand.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", "__pycache__", "lake"];
/// More files than this are not looked at.
const MOST: usize = 10_000;
/// Folders within folders, at most.
const DEEPEST: usize = 8;

/// Files as they were.
pub(super) struct Watched {
    places: Vec<PathBuf>,
    files: BTreeMap<PathBuf, (Option<SystemTime>, u64)>,
}

impl Watched {
    pub(super) fn of(places: &[PathBuf]) -> Watched {
        let mut files = BTreeMap::new();
        for place in places {
            match fs::metadata(place) {
                // A component that somebody else builds.
                Ok(about) if about.is_file() => {
                    files.insert(place.clone(), (about.modified().ok(), about.len()));
                }
                _ => look(place, DEEPEST, &mut files),
            }
        }
        Watched {
            places: places.to_vec(),
            files,
        }
    }

    pub(super) fn is_as_it_was(&self) -> bool {
        Watched::of(&self.places).files == self.files
    }
}

fn look(folder: &Path, deeper: usize, files: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Ok(about) = entry.metadata() else {
            continue;
        };
        if about.is_dir() {
            let is_own = !name.starts_with('.') && !LEFT_OUT.contains(&name.as_ref());
            if is_own && deeper > 0 {
                look(&entry.path(), deeper - 1, files);
            }
        } else if is_written_by_hand(&name) && files.len() < MOST {
            files.insert(entry.path(), (about.modified().ok(), about.len()));
        }
    }
}

/// Code, manifests, pipeline files and SQL; not what a build leaves, and no data.
fn is_written_by_hand(name: &str) -> bool {
    let endings = ["rs", "py", "js", "mjs", "ts", "json", "toml", "sql", "txt"];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| endings.contains(&ending)) && name != "package-lock.json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_code_are_seen_and_those_of_builds_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("src")).unwrap();
        fs::create_dir_all(at("target/debug")).unwrap();
        fs::write(at("src/lib.rs"), "one").unwrap();
        let watched = Watched::of(&[folder.path().to_owned()]);
        fs::write(at("target/debug/x.rs"), "").unwrap();
        fs::write(at("plugin.wasm"), "").unwrap();
        fs::write(at("Cargo.lock"), "").unwrap();
        assert!(watched.is_as_it_was());
        fs::write(at("src/lib.rs"), "two and more").unwrap();
        assert!(!watched.is_as_it_was());
        let watched = Watched::of(&[folder.path().to_owned()]);
        fs::remove_file(at("src/lib.rs")).unwrap();
        assert!(!watched.is_as_it_was());
        let watched = Watched::of(&[at("plugin.wasm")]);
        fs::write(at("plugin.wasm"), "built").unwrap();
        assert!(!watched.is_as_it_was());
    }
}
