//! `weir run`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;
use weir_engine::plan::{Plan, Planner};
use weir_engine::record::{RunRecord, RunRequest, Status, StepRecord};
use weir_engine::run::{Outcome, Progress, Replay, RunOptions, is_step, run as run_plan};

use crate::args::{Output, RunArgs};
use crate::commands::{print_json, resources, runs, sandbox};
use crate::failure::{Failure, causes, code, exit_code};
use crate::table::thousands;

/// Runs what `args` ask for; of `rest_of`, where it is given, only what that run has not done; with
/// `replay`, rejected rows instead of what the steps read.
pub(crate) async fn run(
    args: &RunArgs,
    rest_of: Option<&RunRecord>,
    replay: Option<Replay>,
) -> Result<u8, Failure> {
    let pipeline = args.pipeline.resolve()?;
    let resources = resources()?;
    let sandbox = sandbox()?;
    // A dry run has a lake of its own, which vanishes with it.
    let dry = match args.dry_run {
        true => Some(tempfile::tempdir().map_err(|error| {
            Failure::new(format!("cannot make a temporary folder: {error}"))
                .hint("set TMPDIR to a folder that you may write to")
        })?),
        false => None,
    };
    let dry_lake = dry.as_ref().map(|dir| dir.path().display().to_string());
    let planner = Planner {
        sandbox: &sandbox,
        components: args.components.settings(),
        stores: None,
        lake: dry_lake.as_deref().or(args.lake.as_deref()),
        isolate: args.dry_run,
        full_refresh: args.full_refresh,
        replay: replay.is_some(),
        aside: None,
        resources,
    };
    let plan = Arc::new(planner.plan(pipeline).await?);
    let before = match RunRecord::latest(&plan.lake.weir(), 50).await {
        Ok(records) => last_success(records, &plan),
        Err(error) => {
            tracing::warn!(error = %error, "earlier run records cannot be read");
            None
        }
    };
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let only = steps_to_run(args, &plan, rest_of)?;
    let options = RunOptions {
        only: only.clone(),
        limit: args.limit,
        dry_run: args.dry_run,
        full_refresh: args.full_refresh,
        resources,
        stop,
        request: Some(RunRequest {
            replay: replay.is_some(),
            ..request(args, only, rest_of)?
        }),
        replay,
    };
    let display = Display::new(args.output);
    let outcome = run_plan(Arc::clone(&plan), options, |progress| {
        display.show(progress);
    })
    .await;
    signals.abort();
    let outcome = outcome?;
    display.clear();
    if args.output == Output::Json {
        print_json(&outcome.record)?;
    }
    let failed = |step: &StepRecord| step.status == Status::Failed;
    // What failed by itself is more to know of than the signal.
    if outcome.record.status == Status::Interrupted && !outcome.record.steps.iter().any(failed) {
        let text = stopped_screen(&outcome.record, &plan, args);
        return Err(Failure::screen(text, code::RETRY));
    }
    match &outcome.error {
        Some(error) => Err(Failure::screen(
            last_screen(&outcome, &plan, before.as_ref(), args),
            exit_code(error),
        )),
        None => {
            if args.output == Output::Text {
                eprint!("{}", runs::steps(&outcome.record));
                eprintln!("{}", closing(&outcome.record, &plan, args));
            }
            Ok(match outcome.record.status {
                Status::Warned => code::WARNED,
                _ => 0,
            })
        }
    }
}

/// What the run record keeps of the command.
pub(crate) fn request(
    args: &RunArgs,
    steps: Vec<String>,
    rest_of: Option<&RunRecord>,
) -> Result<RunRequest, Failure> {
    let file = std::path::absolute(&args.pipeline.pipeline).map_err(|error| {
        Failure::usage(format!("{}: {error}", args.pipeline.pipeline.display()))
    })?;
    let dir = std::env::current_dir()
        .map_err(|error| Failure::new(format!("the working directory cannot be used: {error}")))?;
    Ok(RunRequest {
        file: file.display().to_string(),
        dir: dir.display().to_string(),
        profile: args.pipeline.profile.clone(),
        params: args.pipeline.params.iter().cloned().collect(),
        steps,
        limit: args.limit,
        locked: args.components.locked,
        retry_of: rest_of.map(|record| record.run.clone()),
        replay: false,
        full_refresh: args.full_refresh,
    })
}

/// The first signal asks the run to stop; the second ends the process, which is safe at any moment
/// and only leaves files that nobody refers to.
pub(crate) async fn stop_on_signal(stop: CancellationToken) {
    let signal = interrupted().await;
    eprintln!(
        "interrupted by {signal}: stopping; what is decided is finished first (again: stop at once)"
    );
    stop.cancel();
    let signal = interrupted().await;
    eprintln!(
        "interrupted by {signal} again: what was decided is kept, nothing is half done\n\
         hint: run the same command again, it goes on from there"
    );
    std::process::exit(i32::from(code::RETRY));
}

/// The name of the signal that asks to stop.
pub(crate) async fn interrupted() -> &'static str {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "SIGINT",
        () = terminate => "SIGTERM",
    }
}

/// The steps to run: those named, without those that the run of which this is the rest has done.
fn steps_to_run(
    args: &RunArgs,
    plan: &Plan,
    rest_of: Option<&RunRecord>,
) -> Result<Vec<String>, Failure> {
    let Some(record) = rest_of else {
        return Ok(args.steps.clone());
    };
    let done = |name: &str| {
        let step = record.steps.iter().find(|step| step.step == name);
        step.is_some_and(|step| step.status.is_done())
    };
    for planned in &plan.steps {
        let before = record
            .steps
            .iter()
            .find(|step| step.step == planned.step.name && step.status.is_done());
        if before.is_some_and(|step| step.fingerprint != planned.fingerprint) {
            eprintln!(
                "step {} is done, but it or its plugins changed since: `weir run` runs it again",
                planned.step.name
            );
        }
    }
    let named =
        |step: &str| args.steps.is_empty() || args.steps.iter().any(|name| is_step(name, step));
    let left: Vec<String> = plan
        .steps
        .iter()
        .map(|planned| planned.step.name.clone())
        .filter(|name| named(name) && !done(name))
        .collect();
    if left.is_empty() {
        return Err(
            Failure::usage(format!("all steps of run {} are done", record.run))
                .hint("to run the pipeline again, use `weir run`"),
        );
    }
    Ok(left)
}

/// What a run that was asked to stop leaves on the screen.
fn stopped_screen(record: &RunRecord, plan: &Plan, args: &RunArgs) -> String {
    if args.dry_run {
        return "stopped; dry run: nothing was changed".to_owned();
    }
    let done = record.steps.iter().filter(|step| step.status.is_done());
    format!(
        "stopped: {} of {} steps are done, nothing is half done\n\
         hint: run the same command again, or what is left of it:\n      weir retry {} --lake {}",
        done.count(),
        record.steps.len(),
        tail(&record.run),
        plan.lake.root().display()
    )
}

fn last_success(records: Vec<RunRecord>, plan: &Plan) -> Option<RunRecord> {
    records.into_iter().find(|record| {
        record.pipeline == plan.pipeline.name
            && matches!(record.status, Status::Succeeded | Status::Warned)
    })
}

fn closing(record: &RunRecord, plan: &Plan, args: &RunArgs) -> String {
    if args.dry_run {
        return "dry run: nothing was changed".to_owned();
    }
    let lake = plan.lake.root().display();
    let quarantined: u64 = record
        .steps
        .iter()
        .map(|step| step.counts.quarantined)
        .sum();
    let mut text = format!("run {} {}", record.run, record.status);
    if quarantined > 0 {
        text.push_str(&format!(", {} rows in quarantine", thousands(quarantined)));
    }
    text.push_str(&format!(
        "\n  weir show {} --lake {lake}",
        tail(&record.run)
    ));
    text
}

/// Enough of a run's identifier to name it.
fn tail(run: &str) -> &str {
    run.rsplit('-').next().unwrap_or(run)
}

/// What a failed run leaves on the screen: the cause, what changed since the last success, the
/// state of every target, what is blocked, and what to type next.
fn last_screen(
    outcome: &Outcome,
    plan: &Plan,
    before: Option<&RunRecord>,
    args: &RunArgs,
) -> String {
    let record = &outcome.record;
    let mut text = String::new();
    if let Some(error) = &outcome.error {
        match error.faults() {
            Some(faults) => text.push_str(&faults.to_string()),
            None => {
                text.push_str(&format!("error: {error}\n"));
                for cause in causes(error) {
                    text.push_str(&format!("  caused by: {cause}\n"));
                }
                if let Some(hint) = error.hint() {
                    text.push_str(&format!("hint: {hint}\n"));
                }
            }
        }
    }
    if args.dry_run {
        text.push_str("\ndry run: nothing was changed\n");
        return text;
    }
    let failed: Vec<&StepRecord> = record
        .steps
        .iter()
        .filter(|step| step.status == Status::Failed)
        .collect();
    if failed.len() > 1 {
        text.push_str("\nalso failed\n");
        for step in failed.iter().skip(1) {
            let error = step.error.as_deref().unwrap_or_default();
            text.push_str(&format!("  {}: {error}\n", step.step));
        }
    }
    text.push_str("\nsince the last success\n");
    match before {
        None => text.push_str("  this pipeline has not succeeded on this lake before\n"),
        Some(before) => {
            text.push_str(&changes(before, record, plan));
        }
    }
    text.push_str("\ntargets\n");
    for planned in &plan.steps {
        let entry = record
            .steps
            .iter()
            .find(|step| step.step == planned.step.name);
        for write in &planned.writes {
            let target = write.target.display();
            let state = match entry {
                Some(step) if step.targets.iter().any(|written| written.target == target) => {
                    "written by this run"
                }
                Some(step) if step.status == Status::UpToDate => "up to date",
                Some(step) if step.n.is_none() => "as before this run",
                Some(_) => "decided: the next run finishes it",
                None => "not part of this run",
            };
            let line = format!("  {target}: {state}\n");
            if !text.contains(&line) {
                text.push_str(&line);
            }
        }
    }
    let blocked: Vec<&str> = record
        .steps
        .iter()
        .filter(|step| step.status == Status::Blocked)
        .map(|step| step.step.as_str())
        .collect();
    if !blocked.is_empty() {
        text.push_str(&format!("\nblocked: {}\n", blocked.join(", ")));
    }
    let mut command = format!("weir run {}", args.pipeline.pipeline.display());
    let mut option = |name: &str, value: &str| {
        command.push_str(&format!(" --{name} {}", quoted(value)));
    };
    if let Some(profile) = &args.pipeline.profile {
        option("profile", profile);
    }
    for (name, value) in &args.pipeline.params {
        option("param", &format!("{name}={value}"));
    }
    if let Some(lake) = &args.lake {
        option("lake", lake);
    }
    for step in &args.steps {
        option("step", step);
    }
    if let Some(limit) = args.limit {
        option("limit", &limit.to_string());
    }
    text.push_str(&format!(
        "\nnext: {command}\n      weir show {} --lake {}\n",
        tail(&record.run),
        plan.lake.root().display()
    ));
    text
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn changes(before: &RunRecord, now: &RunRecord, plan: &Plan) -> String {
    let mut text = String::new();
    let earlier: BTreeMap<&str, &StepRecord> = before
        .steps
        .iter()
        .map(|step| (step.step.as_str(), step))
        .collect();
    if before.weir != now.weir {
        text.push_str(&format!("  weir {} → {}\n", before.weir, now.weir));
    }
    for (name, value) in &now.params {
        match before.params.get(name) {
            Some(old) if old == value => {}
            Some(old) => text.push_str(&format!("  parameter {name}: {old} → {value}\n")),
            None => text.push_str(&format!("  parameter {name} is new\n")),
        }
    }
    for planned in &plan.steps {
        match earlier.get(planned.step.name.as_str()) {
            None => text.push_str(&format!("  step {} is new\n", planned.step.name)),
            Some(step) if step.fingerprint != planned.fingerprint => {
                text.push_str(&format!(
                    "  step {} or its plugins changed\n",
                    planned.step.name
                ));
            }
            Some(_) => {}
        }
    }
    if text.is_empty() {
        text = format!(
            "  nothing but the input (run {} of {})\n",
            tail(&before.run),
            before.started_at
        );
    }
    text
}

/// Progress on stderr: bars on a terminal, else a line a step.
struct Display {
    bars: Option<MultiProgress>,
    open: Mutex<BTreeMap<String, ProgressBar>>,
    quiet: bool,
}

impl Display {
    fn new(output: Output) -> Display {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some();
        Display {
            bars: terminal.then(MultiProgress::new),
            open: Mutex::new(BTreeMap::new()),
            quiet: output == Output::Json && !terminal,
        }
    }

    fn show(&self, progress: Progress) {
        match (progress, &self.bars) {
            (Progress::Began { step }, Some(bars)) => {
                let bar = bars.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                    bar.set_style(style);
                }
                bar.set_message(step.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                if let Ok(mut open) = self.open.lock() {
                    open.insert(step, bar);
                }
            }
            (Progress::Ended { record }, Some(_)) => {
                if let Ok(mut open) = self.open.lock()
                    && let Some(bar) = open.remove(&record.step)
                {
                    bar.finish_and_clear();
                }
            }
            (Progress::Ended { record }, None) if !self.quiet => {
                eprintln!(
                    "{} {}: {} read, {:.2} s",
                    record.step,
                    record.status,
                    thousands(record.counts.read),
                    record.seconds
                );
            }
            _ => {}
        }
    }

    fn clear(&self) {
        if let Some(bars) = &self.bars
            && let Err(error) = bars.clear()
        {
            tracing::debug!(error = %error, "the terminal cannot be cleared");
        }
    }
}
