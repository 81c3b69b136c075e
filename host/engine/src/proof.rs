//! The proof of the commit protocol, in tests: every call of a store fails in every way, processes are
//! killed before and after each, writers race; after each, the same run again, and every input row is
//! there once.
//!
//! [`faulty`] is the store that fails, [`scene`] the pipeline and what must come of it. How long the
//! sweeps go on is in the environment: `cargo xtask prove` sets it.

mod alone;
mod crashes;
mod faults;
mod faulty;
mod long;
mod races;
mod scene;
mod upkeep;

/// A number from the environment, for runs that are longer than those of `cargo xtask test`.
fn from_env(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
