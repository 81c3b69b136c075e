//! Lists the hostile guests from their folder, so that one without a test does not compile.

#![allow(clippy::panic, reason = "a panic is how a build script reports")]

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn main() {
    // Read when this runs: what was compiled in may be the path of another checkout that shares the
    // target folder.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs build scripts");
    let package = Path::new(&package);
    let hostile = package.join("../hostile");
    let made = package.join("src/made.rs");
    for path in ["Cargo.toml", "guests", "text"] {
        println!("cargo::rerun-if-changed={}", hostile.join(path).display());
    }
    println!("cargo::rerun-if-changed={}", made.display());

    // Name, and the first line that says what it does.
    let mut guests: BTreeMap<String, (&str, String)> = BTreeMap::new();
    let mut list = |name: String, kind, about: String| {
        assert!(
            about.starts_with("Row "),
            "{name}: it does not say which threat it is"
        );
        let twice = guests.insert(name.clone(), (kind, about));
        assert!(twice.is_none(), "two hostile guests are named {name}");
    };
    let manifest = read(&hostile.join("Cargo.toml"));
    let entries = manifest.matches("crate-type = [\"cdylib\"]").count();
    let rust = files(&hostile.join("guests"), "rs");
    for (name, text) in &rust {
        let entry = format!("{{ name = \"{name}\", path = \"guests/{name}.rs\",");
        assert!(
            manifest.contains(&entry),
            "tests/hostile/Cargo.toml has no example {name}, so that it is not built"
        );
        list(name.clone(), "Rust", about(text, "//! "));
    }
    assert_eq!(
        entries,
        rust.len(),
        "tests/hostile/Cargo.toml names guests that are not there"
    );
    for (name, text) in files(&hostile.join("text"), "wat") {
        if name != "frame" && name != "defaults" {
            list(name, "Text", about(&text, ";; "));
        }
    }
    let mut before = String::new();
    let mut made_names = Vec::new();
    for line in read(&made).lines() {
        if let Some(name) = line
            .strip_prefix("pub(crate) fn ")
            .and_then(|rest| rest.split('(').next())
        {
            made_names.push(name.to_owned());
            list(name.to_owned(), "Made", about(&before, "/// "));
        }
        before = line.to_owned();
    }

    let mut code = String::from(
        "/// Every hostile guest, in order of name.\npub const GUESTS: &[Guest] = &[\n",
    );
    for (name, (kind, about)) in &guests {
        let kind = match *kind {
            "Made" => format!("Made(made::{name})"),
            kind => kind.to_owned(),
        };
        writeln!(
            code,
            "    Guest {{ name: {name:?}, about: {about:?}, kind: Kind::{kind} }},"
        )
        .expect("text");
    }
    code.push_str("];\n\n/// Calls a macro with the name of each hostile guest.\n#[macro_export]\nmacro_rules! foreach_guest {\n    ($mac:ident) => {\n");
    for name in guests.keys() {
        writeln!(code, "        $mac!({name});").expect("text");
    }
    code.push_str("    };\n}\n");
    let out = env::var("OUT_DIR").expect("cargo says where to");
    fs::write(Path::new(&out).join("guests.rs"), code).expect("the output folder can be written");
}

/// What the first line of a file says after `mark`.
fn about(text: &str, mark: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix(mark).unwrap_or_default().to_owned()
}

/// Stems and contents of the files of one kind in a folder.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("the folder of the hostile guests is there");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let stem = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = read(&path);
            (stem, text)
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
