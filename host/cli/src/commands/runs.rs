//! `weir runs` and `weir show`.

use weir_engine::guest_log;
use weir_engine::lake::Lake;
use weir_engine::record::{RuleCount, RunRecord, Status};
use weir_engine::store::Stores;

use crate::args::{LogsArgs, Output, RunsArgs, ShowArgs};
use crate::commands::{print, print_json};
use crate::failure::Failure;
use crate::table::{Table, thousands};

pub(crate) async fn list(args: &RunsArgs) -> Result<u8, Failure> {
    let lake = Lake::at(&args.lake.lake, &Stores::default()).await?;
    let records = RunRecord::latest(&lake.weir(), args.last).await?;
    if args.output == Output::Json {
        print_json(&records)?;
        return Ok(0);
    }
    if records.is_empty() {
        eprintln!("no run in {}", lake.root().display());
        return Ok(0);
    }
    let mut table = Table::new(
        &[
            "RUN",
            "PIPELINE",
            "STARTED",
            "STATUS",
            "READ",
            "ACCEPTED",
            "QUARANTINED",
            "DROPPED",
        ],
        &[4, 5, 6, 7],
    );
    for record in records {
        let sum = |part: fn(&weir_engine::commit::Counts) -> u64| {
            thousands(record.steps.iter().map(|step| part(&step.counts)).sum())
        };
        table.row(vec![
            record.run.clone(),
            record.pipeline.clone(),
            record.started_at.clone(),
            record.status.to_string(),
            sum(|counts| counts.read),
            sum(|counts| counts.accepted),
            sum(|counts| counts.quarantined),
            sum(|counts| counts.dropped),
        ]);
    }
    print(&table.render(0))?;
    Ok(0)
}

pub(crate) async fn show(args: &ShowArgs) -> Result<u8, Failure> {
    let lake = Lake::at(&args.lake.lake, &Stores::default()).await?;
    let record = RunRecord::find(&lake.weir(), &args.run).await?;
    match args.output {
        Output::Json => print_json(&record)?,
        Output::Text => print(&text(&record))?,
    }
    Ok(0)
}

pub(crate) async fn logs(args: &LogsArgs) -> Result<u8, Failure> {
    let lake = Lake::at(&args.lake.lake, &Stores::default()).await?;
    let record = RunRecord::find(&lake.weir(), &args.run).await?;
    let lines = guest_log::read(&lake.weir(), &record.run)?;
    if lines.is_empty() {
        eprintln!(
            "no plugin whose words are kept said anything in run {}",
            record.run
        );
    }
    let mut text = String::new();
    for line in lines {
        match args.output {
            Output::Json => {
                let json = serde_json::to_string(&line)
                    .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
                text.push_str(&json);
            }
            Output::Text => text.push_str(&format!(
                "{} {:5} {} ({}) {}: {}",
                line.at, line.level, line.plugin, line.stage, line.stream, line.text
            )),
        }
        text.push('\n');
    }
    print(&text)?;
    Ok(0)
}

/// What differed between the columns of rows and those of their targets.
fn schema_changes(record: &RunRecord) -> String {
    let targets = record.steps.iter().flat_map(|step| &step.targets);
    let lines: Vec<String> = targets
        .flat_map(|target| {
            let changes = target.schema_changes.iter();
            changes.map(|change| format!("  {}: {change}\n", target.target))
        })
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!("\nschemas\n{}", lines.concat()),
    }
}

/// A run as a person reads it.
pub(crate) fn text(record: &RunRecord) -> String {
    let mut text = format!(
        "run {} of {}: {}\n  started {}{}\n",
        record.run,
        record.pipeline,
        record.status,
        record.started_at,
        record
            .finished_at
            .as_ref()
            .map(|at| format!(", finished {at}"))
            .unwrap_or_default(),
    );
    for (name, value) in &record.params {
        text.push_str(&format!("  {name} = {value}\n"));
    }
    text.push('\n');
    text.push_str(&steps(record));
    let rules: Vec<(&str, &RuleCount, &str)> = record
        .steps
        .iter()
        .flat_map(|step| {
            let rejected = step
                .rejected
                .iter()
                .map(|rule| (step.step.as_str(), rule, "rejected"));
            let warned = step
                .warned
                .iter()
                .map(|rule| (step.step.as_str(), rule, "warned"));
            rejected.chain(warned)
        })
        .collect();
    if !rules.is_empty() {
        let mut table = Table::new(&["STEP", "STAGE", "RULE", "", "ROWS"], &[4]);
        for (step, rule, what) in rules {
            table.row(vec![
                step.to_owned(),
                rule.stage.clone(),
                rule.rule.clone(),
                what.to_owned(),
                thousands(rule.rows),
            ]);
        }
        text.push_str("\nrules broken\n");
        text.push_str(&table.render(2));
    }
    let mut targets = Table::new(&["TARGET", "ROWS", "VERSION", "STEP"], &[1, 2]);
    let mut plugins = Table::new(
        &[
            "PLUGIN",
            "SHA256",
            "STAGE",
            "COLUMNS",
            "GUEST TIME",
            "MEMORY",
        ],
        &[3, 4, 5],
    );
    let (mut any_target, mut any_plugin) = (false, false);
    for step in &record.steps {
        for target in &step.targets {
            any_target = true;
            targets.row(vec![
                target.target.clone(),
                thousands(target.rows),
                target
                    .version
                    .map(|version| version.to_string())
                    .unwrap_or_default(),
                step.step.clone(),
            ]);
        }
        for plugin in &step.plugins {
            any_plugin = true;
            plugins.row(vec![
                plugin.plugin.clone(),
                plugin.digest.chars().take(12).collect(),
                plugin.stage.clone(),
                plugin.terms.columns.len().to_string(),
                format!("{} ms", thousands(plugin.guest_ms)),
                format!("{} KiB", thousands(plugin.peak_memory >> 10)),
            ]);
        }
    }
    if any_target {
        text.push_str("\nwritten\n");
        text.push_str(&targets.render(2));
    }
    text.push_str(&schema_changes(record));
    if any_plugin {
        text.push_str("\nplugins\n");
        text.push_str(&plugins.render(2));
    }
    for step in &record.steps {
        if let Some(error) = &step.error {
            match step.status {
                // It says which step it was.
                Status::Interrupted => text.push_str(&format!("\n{error}\n")),
                _ => text.push_str(&format!("\nstep '{}' failed: {error}\n", step.step)),
            }
            if let Some(hint) = &step.hint {
                text.push_str(&format!("hint: {hint}\n"));
            }
        }
    }
    text
}

/// The steps with their rows.
pub(crate) fn steps(record: &RunRecord) -> String {
    let mut table = Table::new(
        &[
            "STEP",
            "STATUS",
            "READ",
            "ACCEPTED",
            "QUARANTINED",
            "DROPPED",
            "SECONDS",
        ],
        &[2, 3, 4, 5, 6],
    );
    for step in &record.steps {
        table.row(vec![
            step.step.clone(),
            step.status.to_string(),
            thousands(step.counts.read),
            thousands(step.counts.accepted),
            thousands(step.counts.quarantined),
            thousands(step.counts.dropped),
            format!("{:.2}", step.seconds),
        ]);
    }
    table.render(0)
}
