//! The hostile guests of `tests/hostile`, by name, for the tests that must contain them.
//!
//! [`GUESTS`] and [`foreach_guest!`] are made from the folder when this crate is built. A suite that
//! writes, beside its tests,
//!
//! ```
//! # mod tests {
//! # macro_rules! test { ($name:ident) => { pub fn $name() {} } }
//! # weir_roster::foreach_guest!(test);
//! macro_rules! assert_test_exists {
//!     ($name:ident) => {
//!         use self::$name as _;
//!     };
//! }
//! weir_roster::foreach_guest!(assert_test_exists);
//! # }
//! ```
//!
//! does not compile if a guest has no test of its name.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

mod made;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// A hostile guest.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Its name, which says what it does.
    pub name: &'static str,
    /// What it does, in one line that begins with the row of THREATS it belongs to.
    pub about: &'static str,
    /// What it is made of.
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `guests/<name>.rs`, compiled.
    Rust,
    /// `text/<name>.wat`.
    Text,
    /// Bytes made by a function, since they are too many to keep.
    Made(fn() -> Vec<u8>),
}

impl Guest {
    /// The guest of this name.
    pub fn named(name: &str) -> Option<Guest> {
        GUESTS.iter().find(|guest| guest.name == name).copied()
    }

    /// Its bytes: a component, or what pretends to be one.
    pub fn component(&self) -> Vec<u8> {
        match self.kind {
            Kind::Made(make) => make(),
            Kind::Text => text::assemble(&read(&hostile().join(format!("text/{}.wat", self.name)))),
            Kind::Rust => {
                let path = built().join(format!("{}.wasm", self.name));
                std::fs::read(&path).unwrap_or_else(|error| {
                    panic!("the hostile guest {} is not built: {error}", path.display())
                })
            }
        }
    }
}

/// A transform in the same frame as the hostile text, which gives back what it is given.
pub fn honest() -> Vec<u8> {
    text::assemble("")
}

/// The workspace of the guests.
fn hostile() -> PathBuf {
    root().join("tests/hostile")
}

/// The root of the checkout: upwards from the package that cargo runs. The path known when this was
/// compiled may be another checkout's, where several share a target folder.
///
/// # Panics
///
/// Where neither is in a checkout.
pub fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package)
        .ancestors()
        .find(|folder| folder.join("tests/roster/Cargo.toml").is_file())
        .expect("a test runs in a checkout")
        .to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of the compiled guests, built once a process unless `cargo xtask test` has done so and
/// says by `WEIR_GUESTS_TARGET` that it has.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = hostile().join("target");
        if std::env::var_os("WEIR_GUESTS_TARGET").is_none() {
            let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["build", "--quiet", "--release", "--examples"])
                .args(["--target", "wasm32-wasip2", "--manifest-path"])
                .arg(hostile().join("Cargo.toml"))
                .arg("--target-dir")
                .arg(&target)
                // What the host's build sets must not reach the guests'.
                .env_remove("CARGO_TARGET_DIR")
                .env_remove("RUSTFLAGS")
                .status()
                .expect("cargo runs");
            assert!(
                status.success(),
                "the hostile guests do not build; is the target installed? rustup target add wasm32-wasip2"
            );
        }
        target.join("wasm32-wasip2/release/examples")
    })
}
