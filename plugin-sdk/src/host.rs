//! What every plugin may ask of the host: a line in its log, an addition to a counter, a secret that
//! its step grants.
//!
//! In a component the calls cross to the host. Natively they go to the
//! [`Harness`](crate::testing::Harness) that runs the plugin, or, outside one, to stderr.

use std::fmt::Display;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of use to the plugin's author.
    Debug,
    /// A normal event.
    Info,
    /// Something recoverable that a person should know.
    Warn,
}

/// Lines in the plugin's log, which only the plugin's operator may read. The host bounds them.
/// Keep values of the data out of them.
pub mod log {
    use std::fmt::Display;

    use super::{Level, write};

    /// Logs what is of use to the plugin's author.
    pub fn debug(message: impl Display) {
        write(Level::Debug, &message);
    }

    /// Logs a normal event.
    pub fn info(message: impl Display) {
        write(Level::Info, &message);
    }

    /// Logs something recoverable that a person should know.
    pub fn warn(message: impl Display) {
        write(Level::Warn, &message);
    }
}

/// Adds `value` to the counter `name`, which the run record shows as a sum over all batches.
pub fn metric(name: &str, value: f64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::transform::weir::plugin::host::metric(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record::metric(name, value);
}

/// The secret that the step grants under `name`; none if there is no such grant. A plugin that calls
/// this does not run in a step that grants it no secret at all.
pub fn secret(name: &str) -> Option<String> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::transform::weir::plugin::secrets::get(name);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record::secret(name)
}

fn write(level: Level, message: &dyn Display) {
    let message = message.to_string();
    #[cfg(target_family = "wasm")]
    {
        use crate::bindings::transform::weir::plugin::host;
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
        };
        host::log(level, &message);
    }
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record::log(level, message);
}
