//! The shared library that has DuckDB and its ADBC driver, from an npm package that has nothing else that is used here.
//!
//! The library in DuckDB's Python package exports the driver too, but needs symbols of Python to be
//! loaded at all.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names another library.
const VARIABLE: &str = "WEIR_DUCKDB_LIB";

/// The version is pinned, so that a failure is Weir's.
const VERSION: &str = "1.5.6-r.1";

const HINT: &str = "hint: install npm and let it reach a package registry (Debian, Ubuntu: sudo \
                    apt-get install npm), or name a libduckdb of DuckDB's releases in WEIR_DUCKDB_LIB";

/// The package and its library for this machine.
fn package() -> (&'static str, &'static str) {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => ("@duckdb/node-bindings-linux-x64", "libduckdb.so"),
        ("linux", "aarch64") => ("@duckdb/node-bindings-linux-arm64", "libduckdb.so"),
        ("macos", "aarch64") => ("@duckdb/node-bindings-darwin-arm64", "libduckdb.dylib"),
        (system, processor) => panic!("no libduckdb is known for {system} on {processor}\n{HINT}"),
    }
}

fn cache() -> PathBuf {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty());
    folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".cache")))
        .expect("XDG_CACHE_HOME or HOME names a folder")
        .join("weir")
}

fn run(command: &mut Command) {
    let what = format!("{command:?}");
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{what} failed: {}\n{HINT}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{what} cannot be started: {error}\n{HINT}"),
    }
}

/// The library, fetched once into the user's cache.
pub fn library() -> PathBuf {
    if let Some(library) = env::var_os(VARIABLE) {
        return PathBuf::from(library);
    }
    let (name, file) = package();
    let folder = cache().join(format!("duckdb-{VERSION}"));
    let library = folder.join("package").join(file);
    if library.is_file() {
        return library;
    }
    std::fs::create_dir_all(cache()).expect("the cache can be written");
    let fetched = tempfile::Builder::new()
        .prefix("duckdb-")
        .tempdir_in(cache())
        .expect("the cache can be written");
    run(Command::new("npm")
        .args(["pack", "--silent", "--pack-destination"])
        .arg(fetched.path())
        .arg(format!("{name}@{VERSION}")));
    let archive = std::fs::read_dir(fetched.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .expect("npm leaves an archive");
    run(Command::new("tar")
        .arg("-xzf")
        .arg(&archive)
        .arg("-C")
        .arg(fetched.path()));
    std::fs::remove_file(archive).expect("the cache can be written");
    // Another process may have been faster: then the folder is there, and this one goes.
    if std::fs::rename(fetched.path(), &folder).is_ok() {
        let _ = fetched.keep();
    }
    assert!(library.is_file(), "{name} has no {file}\n{HINT}");
    library
}
