//! `weir retry`.

use weir_engine::lake::Lake;
use weir_engine::record::{RunRecord, RunRequest};
use weir_engine::store::Stores;

use crate::args::{ComponentArgs, PipelineArgs, RetryArgs, RunArgs};
use crate::commands::run;
use crate::failure::Failure;

pub(crate) async fn run(mut args: RetryArgs) -> Result<u8, Failure> {
    // The rest of the run happens where the run was started; the lake is where this is.
    if !args.lake.lake.contains("://")
        && let Ok(path) = std::path::absolute(&args.lake.lake)
    {
        args.lake.lake = path.display().to_string();
    }
    let lake = Lake::at(&args.lake.lake, &Stores::default()).await?;
    let record = RunRecord::find(&lake.weir(), &args.run).await?;
    if record.status.is_done() {
        return Err(
            Failure::usage(format!("run {} has {}", record.run, record.status))
                .hint("to run the pipeline again, use `weir run`"),
        );
    }
    let Some(request) = record.request.clone() else {
        return Err(Failure::usage(format!(
            "the record of run {} does not say what it was asked for: an older weir wrote it",
            record.run
        ))
        .hint("use `weir run`: it goes on from what was decided"));
    };
    let RunRequest {
        file,
        dir,
        profile,
        params,
        steps,
        limit,
        locked,
        retry_of: _,
        replay,
        full_refresh,
    } = request;
    if replay {
        return Err(
            Failure::usage(format!("run {} replayed rejected rows", record.run))
                .hint("use `weir replay` again: rows that are done are not open any more"),
        );
    }
    std::env::set_current_dir(&dir).map_err(|error| {
        Failure::usage(format!("the run was started in '{dir}': {error}"))
            .hint("use `weir run` with the paths as they are now: it goes on from what was decided")
    })?;
    eprintln!("what is left of run {}: {file}", record.run);
    let rest = RunArgs {
        pipeline: PipelineArgs {
            pipeline: file.into(),
            params: params.into_iter().collect(),
            profile,
        },
        components: ComponentArgs { locked },
        lake: Some(args.lake.lake),
        steps,
        limit,
        full_refresh,
        dry_run: false,
        output: args.output,
    };
    run::run(&rest, Some(&record), None).await
}
