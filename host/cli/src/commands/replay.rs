//! `weir replay`.

use weir_engine::run::Replay;

use crate::args::{ReplayArgs, RunArgs};
use crate::commands::run;
use crate::failure::Failure;

pub(crate) async fn run(args: ReplayArgs) -> Result<u8, Failure> {
    let ReplayArgs {
        pipeline,
        components,
        lake,
        step,
        rule,
        output,
    } = args;
    let args = RunArgs {
        pipeline,
        components,
        lake,
        steps: vec![step],
        limit: None,
        full_refresh: false,
        dry_run: false,
        output,
    };
    run::run(&args, None, Some(Replay { rule })).await
}
