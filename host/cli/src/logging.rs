//! `tracing`, to stderr or a file.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::args::{LogArgs, LogFormat};
use crate::failure::Failure;

/// Starts logging as the arguments say.
pub(crate) fn start(args: &LogArgs) -> Result<(), Failure> {
    // What the Delta libraries say of commits that lost a race, and of every file they look at, is
    // not for users: Weir looks again, and reports what remains. What a PostgreSQL server raises may quote
    // rows. Whoever names them gets it.
    let mut text = args.log.clone();
    for library in [
        "deltalake_core",
        "buoyant_kernel",
        "buoyant_kernel_engine",
        "tokio_postgres",
    ] {
        if !text.contains(library) {
            text.push_str(&format!(",{library}=off"));
        }
    }
    let filter = EnvFilter::try_new(&text).map_err(|error| {
        Failure::usage(format!("'{}' is no log filter: {error}", args.log))
            .hint("use error, warn, info, debug or trace")
    })?;
    let (writer, colour) = match &args.log_file {
        None => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            (BoxMakeWriter::new(std::io::stderr), colour)
        }
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| {
                    Failure::usage(format!(
                        "cannot write the log to '{}': {error}",
                        path.display()
                    ))
                    .hint("choose a file that you may write")
                })?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    // It traces each call of a guest with what was passed: words of plugins, past all that bounds and
    // keeps them. No filter brings that back.
    let no_guest_calls = FilterFn::new(|metadata| {
        let traced = ["wasmtime_wasi", "wit-bindgen"];
        *metadata.level() <= Level::WARN
            || !traced
                .iter()
                .any(|target| metadata.target().starts_with(target))
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colour);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match args.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    let filter = filter.and(no_guest_calls);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
    Ok(())
}
