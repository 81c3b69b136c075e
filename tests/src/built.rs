//! What must have been built before the tests run, and where it lies.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The root of the checkout. Asked of cargo as the tests run: the path known when this was compiled
/// may be another checkout's, where several share a target folder.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let tests =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&tests)
            .parent()
            .expect("the tests lie in a folder of the checkout")
            .to_owned()
    });
    &ROOT
}

/// The folder of this test binary's profile in cargo's target folder, such as `target/debug`.
fn profile() -> PathBuf {
    let test = env::current_exe().expect("a running program has a file");
    test.ancestors()
        .nth(2)
        .expect("test binaries lie in <profile>/deps")
        .to_owned()
}

fn there(path: PathBuf, what: &str) -> PathBuf {
    assert!(
        path.is_file(),
        "{what} is not built: there is no {}\nhint: `cargo xtask test` builds everything the tests need",
        path.display()
    );
    path
}

/// The binary under test: `WEIR_BIN`, else the one beside the test binary.
pub fn weir() -> PathBuf {
    let beside = || profile().join(format!("weir{}", env::consts::EXE_SUFFIX));
    there(
        env::var_os("WEIR_BIN").map_or_else(beside, PathBuf::from),
        "weir",
    )
}

/// A folder below cargo's target folder that outlives a test run, for what is costly to make.
pub fn cache(name: &str) -> PathBuf {
    let dir = profile().join("weir-tests").join(name);
    std::fs::create_dir_all(&dir).expect("the target folder can be written");
    dir
}

/// The file of a reference pipeline.
pub fn pipeline(name: &str) -> PathBuf {
    root().join("pipelines").join(name).join("pipeline.toml")
}

/// The component of a plugin, by its crate's name: `synpuf`, `claim_checks`.
pub fn plugin(name: &str) -> PathBuf {
    let path = format!("plugins/target/wasm32-wasip2/release/{name}.wasm");
    there(root().join(path), "a plugin")
}

/// The component of a test guest: `transform`, `check`, `decoder`.
pub fn guest(name: &str) -> PathBuf {
    let path = format!("tests/guests/target/wasm32-wasip2/release/guest_{name}.wasm");
    there(root().join(path), "a test guest")
}

/// A folder of real public samples: below `WEIR_REAL_DATA`, else beside the checkout. Says so
/// where it is missing.
pub fn real_data(sample: &str) -> Option<PathBuf> {
    let all =
        env::var_os("WEIR_REAL_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let dir = all.join(sample);
    if !dir.is_dir() {
        eprintln!("skipped: there is no real sample {}", dir.display());
        return None;
    }
    Some(
        dir.canonicalize()
            .expect("a folder that is there has a path"),
    )
}
