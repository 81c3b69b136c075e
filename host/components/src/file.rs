//! Components and signatures on the local disk.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::MAX_COMPONENT;
use crate::error::{Error, Result};

/// The component's file: the one named, or what building the named crate's folder leaves. `plugin`
/// is named by errors.
///
/// # Errors
/// [`Error::Missing`], [`Error::NotBuilt`].
pub fn component_file(plugin: &str, named: &Path) -> Result<PathBuf> {
    if named.is_file() {
        return Ok(named.to_owned());
    }
    if !named.is_dir() {
        return Err(Error::Missing {
            plugin: plugin.to_owned(),
            path: named.to_owned(),
        });
    }
    let folder = std::fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    let name = package_name(&folder)
        .or_else(|| Some(folder.file_name()?.to_str()?.to_owned()))
        .unwrap_or_default();
    // Of a crate the build lies in the folder's own target folder or that of the workspace above it; in other
    // languages `weir plugin build` leaves it in the folder itself.
    let built = format!(
        "target/wasm32-wasip2/release/{}.wasm",
        name.replace('-', "_")
    );
    let is_crate = folder.join("Cargo.toml").is_file();
    let in_folder = ["pyproject.toml", "package.json"]
        .iter()
        .any(|manifest| !is_crate && folder.join(manifest).is_file());
    let candidates = match in_folder {
        true => [Some(folder.join(format!("{name}.wasm"))), None],
        false => [
            Some(folder.join(&built)),
            folder.parent().map(|above| above.join(&built)),
        ],
    };
    candidates
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .ok_or_else(|| Error::NotBuilt {
            plugin: plugin.to_owned(),
            folder: named.to_owned(),
        })
}

/// What the manifest in a folder calls what is built: a crate's library, else a package of Python or npm.
fn package_name(folder: &Path) -> Option<String> {
    let toml = |name: &str| -> Option<toml::Table> {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        toml::from_str(&text).ok()
    };
    let section = |manifest: &toml::Table, section: &str| {
        let name = manifest.get(section)?.get("name")?.as_str()?;
        Some(name.to_owned())
    };
    let of_crate = || {
        let manifest = toml("Cargo.toml")?;
        section(&manifest, "lib").or_else(|| section(&manifest, "package"))
    };
    let of_python = || section(&toml("pyproject.toml")?, "project");
    let of_npm = || {
        let text = std::fs::read_to_string(folder.join("package.json")).ok()?;
        let manifest: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(manifest.get("name")?.as_str()?.to_owned())
    };
    let name = of_crate().or_else(of_python).or_else(of_npm)?;
    // It becomes part of a path.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The bytes of a component's file.
pub(crate) fn component(plugin: &str, path: &Path) -> Result<Vec<u8>> {
    match read_at_most(path, MAX_COMPONENT) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Error::TooLarge {
            plugin: plugin.to_owned(),
            path: path.to_owned(),
        }),
        Err(source) => Err(Error::File {
            what: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

/// The text of a small file, none if there is no such file.
pub(crate) fn text(path: &Path, most: u64, hint: &'static str) -> Result<Option<String>> {
    let wrong = |why: String| Error::WrongFile {
        path: path.to_owned(),
        why,
        hint,
    };
    match read_at_most(path, most) {
        Ok(Some(bytes)) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| wrong("it is not UTF-8 text".to_owned())),
        Ok(None) => Err(wrong(format!("it is larger than {most} bytes"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            what: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

/// What a file holds; none if that is more than `most` bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    // A pipe or device has no end, and opening one is no mistake that is made by accident.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells, whatever the file's length is said to be.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok((size <= most).then_some(bytes))
}
