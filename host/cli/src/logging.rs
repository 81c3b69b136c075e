//! `tracing`, to stderr or a file.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::args::{LogArgs, LogFormat};
use crate::failure::Failure;

/// Starts logging as the arguments say.
pub(crate) fn start(args: &LogArgs) -> Result<(), Failure> {
    // What the Delta libraries say of commits that lost a race, and of every file they look at, is
    // not for users: Weir looks again, and reports what remains. Whoever names them gets it.
    let mut text = args.log.clone();
    for library in ["deltalake_core", "buoyant_kernel", "buoyant_kernel_engine"] {
        if !text.contains(library) {
            text.push_str(&format!(",{library}=off"));
        }
    }
    // It traces each call of a guest with what was passed: words of plugins, past all that bounds and
    // keeps them.
    text.push_str(",wasmtime_wasi=warn");
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
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour);
    match args.log_format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
