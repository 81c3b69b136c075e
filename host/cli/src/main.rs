//! `weir`, the command line.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done; 1 failed; 2 unusable
//! arguments or file; 3 done, with rows in quarantine, a warning or a difference; 75 failed, worth
//! retrying.

/// As the standard library's, but that a reader who has hung up (`2>&1 | head`) ends nothing: a run goes on to its end,
/// and its record says so.
macro_rules! eprintln {
    ($($message:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($message)*);
    }};
}

/// The same, without a new line.
macro_rules! eprint {
    ($($message:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stderr(), $($message)*);
    }};
}

mod args;
mod commands;
mod failure;
mod logging;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Weir starts itself as a compiler of components, which must not do anything else before.
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == weir_sandbox::COMPILER_ARGUMENT)
    {
        return weir_sandbox::compiler_main(arguments);
    }
    let args = Args::parse();
    let outcome = logging::start(&args.log).and_then(|()| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?
            .block_on(dispatch(args.command))
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}

async fn dispatch(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Validate(args) => commands::validate::run(&args),
        Command::Plan(args) => commands::plan::run(&args).await,
        Command::Run(args) => commands::run::run(&args, None, None).await,
        Command::Dev(args) => commands::dev::run(&args).await,
        Command::Diff(args) => commands::diff::run(&args).await,
        Command::Retry(args) => commands::retry::run(args).await,
        Command::Backfill(args) => commands::backfill::run(&args).await,
        Command::Replay(args) => commands::replay::run(args).await,
        Command::Quarantine(command) => commands::quarantine::run(&command).await,
        Command::Trace(args) => commands::trace::run(&args).await,
        Command::Sql(args) => commands::sql::run(&args).await,
        Command::Report(args) => commands::report::run(&args).await,
        Command::Runs(args) => commands::runs::list(&args).await,
        Command::Show(args) => commands::runs::show(&args).await,
        Command::Logs(args) => commands::runs::logs(&args).await,
        Command::Lake(command) => commands::lake::run(&command).await,
        Command::Plugin(command) => commands::plugin::run(&command).await,
    }
}
