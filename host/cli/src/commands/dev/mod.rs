//! `weir dev`: a stage of a pipeline, tried again whenever its plugin or the pipeline file changes.
//!
//! - `shown`: what a try has made of each row, as text, and what is other than the time before.
//! - `watched`: the files whose change begins another try.

mod shown;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use weir_engine::plan::Planner;
use weir_engine::rehearsal::{Chosen, Rehearsal, Request, choose, rehearse};
use weir_pipeline::{ComponentSource, FileSchema, Pipeline, PluginSource, ReadSource, Step};
use weir_sandbox::{Sandbox, SandboxError, World};
use weir_workbench::{Heard, build, try_out};

use crate::args::DevArgs;
use crate::commands::{print, resources, run, sandbox};
use crate::failure::{Failure, code};
use crate::table::thousands;
use shown::Shown;
use watched::Watched;

/// How often files are looked at.
const PAUSE: Duration = Duration::from_millis(300);

pub(crate) async fn run(args: &DevArgs) -> Result<u8, Failure> {
    let sandbox = sandbox()?;
    let tries = async {
        let mut before = None;
        loop {
            // Looked at before the build, so that what changes during it is seen.
            let watched = Watched::of(&places(args));
            let tried = one_try(args, &sandbox, &mut before).await;
            if args.once {
                return tried;
            }
            if let Err(failure) = tried {
                failure.print();
            }
            eprintln!("waiting for a change of the plugin or the pipeline file (Ctrl-C ends)");
            while watched.is_as_it_was() {
                tokio::time::sleep(PAUSE).await;
            }
            print("\n")?;
        }
    };
    tokio::select! {
        ended = tries => ended,
        _ = run::interrupted() => Ok(0),
    }
}

/// The folders that are watched; the pipeline's alone while its file cannot be read.
fn places(args: &DevArgs) -> Vec<PathBuf> {
    let file = &args.pipeline.pipeline;
    // The parent of a bare name is the empty path, which names no folder.
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut places = vec![dir.map_or_else(|| PathBuf::from("."), Path::to_owned)];
    if let Ok(pipeline) = args.pipeline.resolve() {
        let sources = pipeline.plugins.values();
        places.extend(sources.filter_map(|source| match &source.component {
            ComponentSource::Path(path) => Some(pipeline.dir.join(path)),
            ComponentSource::Oci(_) => None,
        }));
    }
    places
}

/// Builds, tries and shows once. The code is that of `--once`.
async fn one_try(
    args: &DevArgs,
    sandbox: &Sandbox,
    before: &mut Option<Shown>,
) -> Result<u8, Failure> {
    let mut pipeline = args.pipeline.resolve()?;
    let chosen = choose(&pipeline, args.step.as_deref(), args.stage)?;
    for line in built(&mut pipeline, &chosen).await? {
        print(&line)?;
    }
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(format!("cannot make a temporary folder: {error}"))
            .hint("set TMPDIR to a folder that you may write to")
    })?;
    let planner = Planner {
        sandbox,
        components: args.components.settings(),
        stores: None,
        lake: args.lake.as_deref(),
        isolate: false,
        full_refresh: false,
        replay: false,
        aside: None,
        resources: resources()?,
    };
    let heard = Arc::new(Heard::default());
    let request = Request {
        chosen: &chosen,
        limit: args.limit,
        folder: &folder.path().display().to_string(),
        heard: Arc::clone(&heard) as _,
        stop: CancellationToken::new(),
    };
    let reads_sensitive = chosen.stage.is_none() && labels_rows(&pipeline, &chosen);
    let rehearsal = match rehearse(&planner, pipeline, &request).await {
        Ok(rehearsal) => rehearsal,
        Err(error) => {
            print(&said(&heard, !args.show_sensitive && reads_sensitive))?;
            return Err(error.into());
        }
    };
    print(&format!(
        "{}, plugin '{}': {}\n",
        rehearsal.label,
        chosen.plugin,
        rows_text(&rehearsal)
    ))?;
    let hides = !args.show_sensitive;
    // What a plugin says of rows may hold them.
    let hides_words = hides && (rehearsal.makes_sensitive || reads_sensitive);
    let shown = match rehearsal.plugin.world() {
        World::Decoder | World::Source => Shown::read(&rehearsal, hides),
        World::Transform | World::Check | World::Fold => {
            let tried = try_out(
                &rehearsal.plugin,
                &rehearsal.terms,
                &rehearsal.bind,
                &rehearsal.rows,
                &heard,
            )
            .await;
            match tried {
                Ok(outcome) => Shown::made(&rehearsal, &outcome, hides),
                Err(stopped) => {
                    print(&said(&heard, hides_words))?;
                    let mut failure = Failure::new(match (&stopped.error, &stopped.rows) {
                        (SandboxError::PluginError { at, kind, .. }, rows) if hides_words => {
                            let rows = rows.as_ref().map(|rows| {
                                format!(
                                    ", in rows {} to {}",
                                    rows.start,
                                    rows.end.saturating_sub(1)
                                )
                            });
                            format!(
                                "{at}: {kind} error (its words may hold sensitive values: --show-sensitive shows them){}",
                                rows.unwrap_or_default()
                            )
                        }
                        _ => stopped.to_string(),
                    });
                    if let Some(hint) = stopped.error.hint() {
                        failure = failure.hint(hint);
                    }
                    return Err(failure);
                }
            }
        }
    };
    print(&shown.text(args.show, before.as_ref()))?;
    print(&said(&heard, hides_words))?;
    let (whole, code) = whole_step(&rehearsal);
    print(&whole)?;
    *before = Some(shown);
    Ok(code)
}

/// Builds the plugins of the step that lie in folders, and has the pipeline use what was built.
async fn built(pipeline: &mut Pipeline, chosen: &Chosen) -> Result<Vec<String>, Failure> {
    let step = pipeline.steps.iter().find(|step| step.name == chosen.step);
    let used: Vec<String> = step
        .into_iter()
        .flat_map(Step::plugins)
        .map(|plugin| plugin.plugin.clone())
        .collect();
    let dir = pipeline.dir.clone();
    let mut lines = Vec::new();
    for (name, source) in &mut pipeline.plugins {
        let Some(folder) = source
            .component
            .folder(&dir)
            .filter(|_| used.contains(name))
        else {
            continue;
        };
        let began = Instant::now();
        let built = tokio::task::spawn_blocking(move || build(&folder)).await;
        let built = built.map_err(|error| Failure::new(format!("the build ended: {error}")))??;
        lines.push(format!(
            "built '{name}' in {:.1} s\n",
            began.elapsed().as_secs_f64()
        ));
        let component = std::path::absolute(&built.component).map_err(|error| {
            Failure::new(format!("{}: {error}", built.component.display()))
                .hint("start weir in a folder that is there")
        })?;
        *source = PluginSource {
            component: ComponentSource::Path(component),
            sha256: None,
            signature: None,
            ..source.clone()
        };
    }
    Ok(lines)
}

fn rows_text(rehearsal: &Rehearsal) -> String {
    let rows = rehearsal.rows.num_rows() as u64;
    let counted = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", thousands(rows)),
    };
    match rehearsal.plugin.world() {
        World::Decoder | World::Source => format!("{counted} read"),
        World::Transform | World::Check | World::Fold => format!("{counted} given"),
    }
}

/// Whether the file says of rows that the step reads that they are sensitive.
fn labels_rows(pipeline: &Pipeline, chosen: &Chosen) -> bool {
    let step = pipeline.steps.iter().find(|step| step.name == chosen.step);
    step.is_some_and(|step| match &step.read.source {
        ReadSource::Files(files) => match &files.schema {
            FileSchema::Declared(columns) => {
                columns.iter().any(|column| !column.sensitivity.is_empty())
            }
            FileSchema::FromFile => false,
        },
        ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => false,
    })
}

/// What the plugin said.
fn said(heard: &Heard, hides: bool) -> String {
    let lines = heard.take();
    if lines.is_empty() {
        return String::new();
    }
    if hides {
        return format!(
            "it said {} lines, which may hold sensitive values (--show-sensitive shows them)\n",
            lines.len()
        );
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("it said:\n{}", lines.concat())
}

/// What becomes of the rows in the step as a whole, and the code.
fn whole_step(rehearsal: &Rehearsal) -> (String, u8) {
    let outcome = match &rehearsal.step {
        Ok(outcome) => outcome,
        Err(error) => {
            let hint = error.hint().map(|hint| format!("  hint: {hint}\n"));
            let text = format!(
                "the whole step would fail: {error}\n{}",
                hint.unwrap_or_default()
            );
            return (text, code::FAILED);
        }
    };
    let counts = outcome.counts;
    let mut text = format!(
        "the whole step: {} read, {} accepted, {} quarantined, {} dropped\n",
        thousands(counts.read),
        thousands(counts.accepted),
        thousands(counts.quarantined),
        thousands(counts.dropped)
    );
    for (rules, what) in [
        (&outcome.rejected, "rejected"),
        (&outcome.warned, "warned of"),
    ] {
        for rule in rules {
            text.push_str(&format!(
                "  rule {} of {}: {} rows {what}\n",
                rule.rule,
                rule.stage,
                thousands(rule.rows)
            ));
        }
    }
    match &outcome.refusal {
        None => (text, 0),
        Some(refusal) => {
            text.push_str(&format!("  a run would fail: {refusal}\n"));
            if let Some(hint) = refusal.hint() {
                text.push_str(&format!("  hint: {hint}\n"));
            }
            (text, code::FAILED)
        }
    }
}
