//! New plugins: a folder that builds and whose tests pass at once.
//!
//! The SDK comes with it, in `vendor/weir`, of the version of this program: so that it builds where there is
//! nothing but the program, and whoever has the folder has all of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The languages that have an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript.
    Js,
}

/// What a new plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows into rows.
    Transform,
    /// Judges rows.
    Check,
    /// Bytes into rows.
    Decoder,
    /// Rows from somewhere else.
    Source,
    /// Many rows into few.
    Fold,
}

impl Language {
    /// The folder of its templates.
    fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::Js => "js",
        }
    }

    fn sdk(self) -> &'static [(&'static str, &'static [u8])] {
        match self {
            Language::Rust => RUST_SDK,
            Language::Python => PYTHON_SDK,
            Language::Js => JS_SDK,
        }
    }

    /// What installs, in a plugin's folder, what building needs besides the language; none where building
    /// does so by itself.
    pub fn install(self) -> Option<&'static str> {
        match self {
            Language::Rust => None,
            Language::Python => {
                Some("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt")
            }
            Language::Js => Some("npm install"),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
            Language::Js => "JavaScript",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Transform => "transform",
            Kind::Check => "check",
            Kind::Decoder => "decoder",
            Kind::Source => "source",
            Kind::Fold => "fold",
        })
    }
}

/// A folder that was made.
#[derive(Debug)]
pub struct Created {
    /// The plugin's name.
    pub name: String,
    /// The author's own files in it, sorted; those of the SDK are not among them.
    pub files: Vec<PathBuf>,
}

/// Makes the folder of a new plugin, which is called as its last part.
///
/// # Errors
/// [`Error::Usage`] for a name that a language would not take, and for a folder that has something in it;
/// [`Error::File`].
pub fn create(folder: &Path, kind: Kind, language: Language) -> Result<Created> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    is_name(&name)?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(Error::usage(
            format!("'{}' is there already", folder.display()),
            "choose another name, or remove it",
        ));
    }
    let names = Names {
        name: name.clone().into_owned(),
        module: name.replace('-', "_"),
        type_name: type_name(&name),
        features: match kind {
            Kind::Source => ", features = [\"http\"]",
            Kind::Transform | Kind::Check | Kind::Decoder | Kind::Fold => "",
        },
    };
    let mut files = Vec::new();
    let language_folder = language.folder();
    let own = [
        format!("{language_folder}/common/"),
        format!("{language_folder}/{kind}/"),
    ];
    for (path, content) in TEMPLATES {
        let target = match own
            .iter()
            .find_map(|folder| path.strip_prefix(folder.as_str()))
        {
            Some(below) => PathBuf::from(names.put_into(below)),
            None if *path == format!("fixtures/{kind}.toml") => {
                PathBuf::from(format!("tests/{}.toml", first_fixture(kind)))
            }
            None => continue,
        };
        let text = String::from_utf8_lossy(content);
        write(&folder.join(&target), names.put_into(&text).as_bytes())?;
        files.push(target);
    }
    for (path, content) in language.sdk() {
        let target = folder.join("vendor/weir").join(path);
        write(&target, content)?;
        if path.contains("/bin/") {
            executable(&target)?;
        }
    }
    files.sort();
    Ok(Created {
        name: names.name,
        files,
    })
}

/// What the first fixture is about.
fn first_fixture(kind: Kind) -> &'static str {
    match kind {
        Kind::Transform | Kind::Check => "amounts",
        Kind::Decoder => "pairs",
        Kind::Source => "people",
        Kind::Fold => "sums",
    }
}

/// A plugin's name, as the places need it in which it stands.
struct Names {
    name: String,
    module: String,
    type_name: String,
    /// What of the SDK it uses besides the usual.
    features: &'static str,
}

impl Names {
    fn put_into(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name)
            .replace("{{module}}", &self.module)
            .replace("{{Type}}", &self.type_name)
            .replace("{{features}}", self.features)
    }
}

/// The plugin's class: with an ending that no name of an SDK or a language has.
fn type_name(name: &str) -> String {
    let own: String = name.split('-').map(capitalised).collect();
    match own.ends_with("Plugin") {
        true => own,
        false => format!("{own}Plugin"),
    }
}

fn capitalised(part: &str) -> String {
    let mut letters = part.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    }
    fs::write(path, content).map_err(Error::file("write", path))
}

/// Lets a file be run, as npm does on its own: else it would change where it is committed.
#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(Error::file("write", path))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Ok(())
}

/// Names that a language keeps for itself, as words or modules that templates import, and those of the SDKs.
const TAKEN: [&str; 102] = [
    "alloc",
    "and",
    "array",
    "arrow",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "buffer",
    "case",
    "catch",
    "class",
    "collections",
    "const",
    "continue",
    "core",
    "crate",
    "csv",
    "dataclasses",
    "datetime",
    "debugger",
    "decimal",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "dyn",
    "elif",
    "else",
    "enum",
    "except",
    "export",
    "extends",
    "extern",
    "false",
    "finally",
    "fn",
    "for",
    "from",
    "function",
    "global",
    "if",
    "impl",
    "import",
    "in",
    "instanceof",
    "io",
    "is",
    "json",
    "lambda",
    "let",
    "loop",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "new",
    "node",
    "none",
    "nonlocal",
    "not",
    "null",
    "or",
    "os",
    "pass",
    "pub",
    "raise",
    "re",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "switch",
    "sys",
    "test",
    "tests",
    "this",
    "throw",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "types",
    "typing",
    "unsafe",
    "use",
    "var",
    "void",
    "weir-plugin",
    "where",
    "while",
    "with",
    "yield",
];

/// A plugin's name is that of a crate, a module and a class.
fn is_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts_are_words = name
        .split('-')
        .all(|part| !part.is_empty() && part.chars().all(letters));
    let fits = parts_are_words
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && !TAKEN.contains(&name);
    match fits {
        true => Ok(()),
        false => Err(Error::usage(
            format!("a plugin cannot be called '{name}'"),
            "use lower-case letters, digits and hyphens, such as visit-events, and no word that a language keeps for itself",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates_modules_and_classes() {
        for good in ["visits", "visit-events", "x12", "a1-b2"] {
            assert!(is_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "Visits", "1a", "a_b", "a--b", "-a", "a-", "a/b", "..", "test", "class", "ä",
        ] {
            assert!(is_name(bad).is_err(), "{bad}");
        }
        assert!(TAKEN.is_sorted());
    }

    #[test]
    fn every_language_has_every_kind() {
        let folder = tempfile::tempdir().unwrap();
        for language in [Language::Rust, Language::Python, Language::Js] {
            for kind in [
                Kind::Transform,
                Kind::Check,
                Kind::Decoder,
                Kind::Source,
                Kind::Fold,
            ] {
                let at = folder
                    .path()
                    .join(format!("{kind}-{language}").to_lowercase());
                let created = create(&at, kind, language).unwrap();
                let has = |name: &str| created.files.contains(&PathBuf::from(name));
                assert!(has("README.md") && has(".gitignore"), "{created:?}");
                assert_eq!(crate::component::language_of(&at).unwrap(), language);
                assert_eq!(crate::fixture::find(&at).unwrap().len(), 1);
                for file in &created.files {
                    let text = fs::read_to_string(at.join(file)).unwrap();
                    assert!(!text.contains("{{"), "{}: {text}", file.display());
                }
                let again = create(&at, kind, language).unwrap_err();
                assert!(again.to_string().contains("is there already"));
            }
        }
    }
}
