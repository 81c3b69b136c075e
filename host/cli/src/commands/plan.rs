//! `weir plan`.

use arrow::datatypes::Schema;
use serde_json::{Value, json};
use weir_engine::plan::{
    Plan, PlannedSql, PlannedStep, PlannedWork, Planner, SegmentSource, is_incremental,
};
use weir_engine::segment::{PluginCall, PluginRole, StageFate};
use weir_engine::sql_commit::SqlWork;
use weir_engine::terms::{TermsRecord, digest};
use weir_engine::types::{scope_text, type_text};
use weir_pipeline::{FailAction, Lag, Progress, ReadSource, Undeclared, WriteMode};

use weir_sandbox::Stream;

use crate::args::{Output, PlanArgs};
use crate::commands::{print, print_json, resources, sandbox, terms};
use crate::failure::Failure;

pub(crate) async fn run(args: &PlanArgs) -> Result<u8, Failure> {
    let pipeline = args.pipeline.resolve()?;
    let sandbox = sandbox()?;
    let planner = Planner {
        sandbox: &sandbox,
        components: args.components.settings(),
        stores: None,
        lake: args.lake.as_deref(),
        isolate: false,
        full_refresh: false,
        replay: false,
        aside: None,
        resources: resources()?,
    };
    let plan = planner.plan(pipeline).await?;
    match args.output {
        Output::Text if args.terms => print(&terms::pages(&plan))?,
        Output::Text => print(&text(&plan))?,
        Output::Json => print_json(&json(&plan))?,
    }
    Ok(0)
}

fn mode(mode: WriteMode) -> &'static str {
    match mode {
        WriteMode::Append => "append",
        WriteMode::Replace => "replace",
        WriteMode::ReplacePartition => "replace-partition",
        WriteMode::ReplaceDynamic => "replace-partition (dynamic)",
        WriteMode::Merge => "merge",
    }
}

fn action(action: FailAction) -> &'static str {
    match action {
        FailAction::Quarantine => "quarantine",
        FailAction::Drop => "drop",
        FailAction::Warn => "warn",
        FailAction::Fail => "fail",
    }
}

fn read(step: &PlannedStep) -> String {
    match &step.step.read.source {
        ReadSource::Files(files) => {
            let found = step.files.as_deref().unwrap_or_default();
            let bytes: u64 = found.iter().map(|file| file.size).sum();
            let mut tolerance = match files.is_tolerant() {
                true => format!("; bad records → {}", action(files.on_fail.action)),
                false => String::new(),
            };
            tolerance.push_str(match files.undeclared {
                Undeclared::Discard => "",
                Undeclared::Freeze => "; new columns → fail",
                Undeclared::Quarantine => "; new columns → quarantine",
            });
            if let Some(PluginRole::Source { stream }) = step.reader.as_ref().map(|call| &call.role)
            {
                return format!("{}{tolerance}", stream_text(step, &files.glob, stream));
            }
            if let Some(call) = &step.reader {
                tolerance.insert_str(
                    0,
                    &format!(
                        "; decoded by plugin '{}' ({})",
                        call.plugin.name(),
                        call.plugin.digest().chars().take(12).collect::<String>()
                    ),
                );
            }
            if let Some(scan) = &files.items {
                return format!("{} ({} segments){tolerance}", files.glob, scan.segments);
            }
            format!(
                "{} ({} files, {} KiB){tolerance}",
                files.glob,
                found.len(),
                bytes.div_ceil(1024)
            )
        }
        ReadSource::Table(name) => format!("table {name}{}", part(step)),
        ReadSource::Nothing => "nothing".to_owned(),
        ReadSource::Sql(_) => {
            let tables: Vec<String> = step.tables.iter().map(ToString::to_string).collect();
            format!("query over {}{}", tables.join(", "), part(step))
        }
    }
}

/// A stream that a plugin reads, in one line.
fn stream_text(step: &PlannedStep, name: &str, stream: &Stream) -> String {
    let digest: String = step
        .reader
        .iter()
        .flat_map(|call| call.plugin.digest().chars().take(12))
        .collect();
    let mut text = format!("stream {name}, by the plugin ({digest})");
    if stream.shards.len() > 1 {
        text.push_str(&format!(" in {} shards", stream.shards.len()));
    }
    if let Some(cursor) = &stream.cursor {
        text.push_str(&format!("; cursor {cursor}"));
    }
    if !stream.primary_key.is_empty() {
        text.push_str(&format!("; key {}", stream.primary_key.join(", ")));
    }
    if is_incremental(&step.step) {
        text.push_str("; what is new since the last run");
    }
    text
}

/// What a step has a database run, in one line.
fn database_sql(sql: &PlannedSql) -> String {
    match &sql.work {
        SqlWork::Script { statements } => {
            let first = statements.first().map_or("", |sql| sql.trim());
            let first = first.lines().next().unwrap_or_default();
            format!(
                "in '{}': {} statements, {first} …",
                sql.connection,
                statements.len()
            )
        }
        SqlWork::View(view) => {
            let kind = if view.materialized {
                "materialized view"
            } else {
                "view"
            };
            let grants = match view.grants.is_empty() {
                true => String::new(),
                false => format!(", which {} may read", view.grants.join(", ")),
            };
            format!("in '{}': {kind} {}{grants}", sql.connection, view.view)
        }
    }
}

/// What a step reads of its tables, where it is not all that is in them now.
fn part(step: &PlannedStep) -> String {
    let mut parts = String::new();
    if let Some(incremental) = &step.step.read.incremental {
        let by = match &incremental.by {
            Progress::Version { .. } => "by version".to_owned(),
            Progress::Cursor { column, lag } => match lag {
                None => format!("above the highest {column}"),
                Some(Lag::Time(lag)) => {
                    format!("above the highest {column} less {} s", lag.as_secs_f64())
                }
                Some(Lag::Number(lag)) => format!("above the highest {column} less {lag}"),
            },
        };
        parts.push_str(&format!("; of {} what is new, {by}", incremental.table));
    }
    if let Some((own, _)) = &step.own {
        parts.push_str(&format!("; {own} as it was before"));
    }
    parts
}

/// For each stage of a step, in order, one line that says what it does.
fn stages(step: &PlannedStep) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    for segment in &step.segments {
        if let SegmentSource::Sql(sql) = &segment.source {
            let first = sql.trim().lines().next().unwrap_or_default().to_owned();
            // A query has no place of its own among row-wise stages: it stands where they end.
            let after = lines
                .iter()
                .map(|(stage, _)| *stage + 1)
                .max()
                .unwrap_or_default();
            lines.push((after, format!("sql {first} …")));
        }
        if let SegmentSource::Fold(fold) = &segment.source {
            let call = &fold.call;
            let digest: String = call.plugin.digest().chars().take(12).collect();
            let what = format!(
                "fold plugin '{}' ({digest}): granted {}",
                call.plugin.name(),
                granted(call)
            );
            lines.push((fold.fate.stage, what));
        }
        // What a write holds rows against is told with it.
        let own = segment
            .stages
            .iter()
            .filter(|stage| (stage.fate.stage as usize) < step.step.stages.len());
        for stage in own {
            let what = match &stage.work {
                PlannedWork::Plugin(call) => format!(
                    "{} plugin '{}' ({}): granted {}; rejects → {}",
                    call.plugin.world(),
                    call.plugin.name(),
                    call.plugin.digest().chars().take(12).collect::<String>(),
                    granted(call),
                    action(stage.fate.action),
                ),
                PlannedWork::Mask(masks) => {
                    let columns = masks.columns();
                    let columns: Vec<String> = columns
                        .map(|(column, method)| format!("{column} ({})", method.name()))
                        .collect();
                    format!("masks {}", columns.join(", "))
                }
                PlannedWork::Checks(rules) => {
                    format!(
                        "{} checks; failing rows → {}",
                        rules.len(),
                        action(stage.fate.action)
                    )
                }
            };
            lines.push((stage.fate.stage, what));
        }
        for check in &segment.whole {
            let what = format!(
                "{}; failing rows → {}",
                check.rule,
                action(check.fate.action)
            );
            lines.push((check.fate.stage, what));
        }
    }
    lines.sort_by_key(|(stage, _)| *stage);
    lines
}

/// What a stage grants its plugin, and what it holds it to beyond the usual, in one line.
fn granted(call: &PluginCall) -> String {
    let terms = TermsRecord::of(call);
    let mut parts = vec![
        columns_text(&terms.columns),
        format!("{} MiB", terms.memory >> 20),
        format!("{} ms a call", terms.deadline_ms),
    ];
    if !terms.side_inputs.is_empty() {
        parts.push(format!("side inputs {}", terms.side_inputs.join("; ")));
    }
    if !terms.secrets.is_empty() {
        parts.push(format!("secrets {}", terms.secrets.join(", ")));
    }
    for (given, what) in [(terms.clock, "the real time"), (terms.random, "randomness")] {
        if given {
            parts.push(what.to_owned());
        }
    }
    if terms.isolation == "batch" {
        parts.push("a fresh instance for each batch".to_owned());
    }
    if let Some(adds) = &terms.adds {
        parts.push(format!("adds {}", adds.join(", ")));
    }
    if terms.rows != "any" {
        parts.push(format!("rows {}", terms.rows));
    }
    if terms.text == "guest-log" {
        parts.push("its words kept".to_owned());
    }
    parts.join(", ")
}

fn columns_text(names: &[String]) -> String {
    match names.len() {
        0..=12 => format!("columns {}", names.join(", ")),
        count => format!(
            "{count} columns ({}, …)",
            names.get(..5).unwrap_or_default().join(", ")
        ),
    }
}

/// The columns with their types, in lines of about 100 characters under their heading.
fn schema_text(schema: &Schema) -> String {
    const INDENT: usize = 10;
    const WIDTH: usize = 100;
    let mut text = String::new();
    let mut width = WIDTH;
    for (index, field) in schema.fields().iter().enumerate() {
        let last = index + 1 == schema.fields().len();
        let end = if last { "" } else { "," };
        let column = format!("{} {}{end}", field.name(), type_text(field.data_type()));
        if width + 1 + column.len() > WIDTH {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&" ".repeat(INDENT));
            width = INDENT;
        } else {
            text.push(' ');
            width += 1;
        }
        width += column.len();
        text.push_str(&column);
    }
    text
}

fn text(plan: &Plan) -> String {
    let mut text = format!(
        "pipeline {}: {} steps into {}\n",
        plan.pipeline.name,
        plan.steps.len(),
        plan.lake.root().display()
    );
    for (name, value) in &plan.pipeline.params {
        text.push_str(&format!("  {name} = {value}\n"));
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let after: Vec<&str> = step
            .depends_on
            .iter()
            .filter_map(|needed| plan.steps.get(*needed))
            .map(|needed| needed.step.name.as_str())
            .collect();
        text.push_str(&format!("\n{}. {}", index + 1, step.step.name));
        if !after.is_empty() {
            text.push_str(&format!("  after {}", after.join(", ")));
        }
        if let Some(sql) = &step.sql {
            text.push_str(&format!("\n   run    {}\n", database_sql(sql)));
            continue;
        }
        text.push_str(&format!("\n   read   {}\n", read(step)));
        text.push_str(&format!("{}\n", schema_text(&step.input)));
        for (stage, what) in stages(step) {
            text.push_str(&format!("   stage  {}: {what}\n", stage + 1));
        }
        for write in &step.writes {
            let scope: Vec<String> = write
                .scope
                .iter()
                .map(|(name, value)| format!("{name} = {}", scope_text(value)))
                .collect();
            text.push_str(&format!(
                "   write  {}, {}",
                write.target.display(),
                mode(write.mode)
            ));
            if !scope.is_empty() {
                text.push_str(&format!(" where {}", scope.join(" and ")));
            }
            let read = step
                .input
                .fields()
                .iter()
                .map(|field| (field.name(), field.data_type()));
            let written = &write.table_schema;
            let kept = written
                .fields()
                .iter()
                .map(|field| (field.name(), field.data_type()));
            if read.eq(kept) {
                text.push_str("\n          the columns read\n");
            } else {
                text.push_str(&format!("\n{}\n", schema_text(written)));
            }
            for difference in &write.differences {
                text.push_str(&format!("          schema: {difference}\n"));
            }
        }
        if let Some(quarantine) = &step.quarantine {
            text.push_str(&format!("   reject {}\n", quarantine.name));
        }
    }
    for (index, report) in plan.reports.iter().enumerate() {
        if index == 0 {
            text.push_str("\nreports\n");
        }
        let tables: Vec<String> = report.tables.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "   {}: {} of {}\n",
            report.title,
            report.chart.name(),
            tables.join(", ")
        ));
        if let Some(missing) = &report.missing {
            text.push_str(&format!(
                "          {missing} is not in the lake and no step writes it: the columns are not known\n"
            ));
        }
    }
    text
}

fn schema_json(schema: &Schema) -> Value {
    schema
        .fields()
        .iter()
        .map(|field| {
            json!({
                "name": field.name(),
                "type": type_text(field.data_type()),
                "nullable": field.is_nullable(),
            })
        })
        .collect()
}

/// The terms of a plugin, with what it is and where it is from. What reads has no stage.
fn grant_json(step: &PlannedStep, fate: &StageFate, call: &PluginCall) -> Value {
    let reads = matches!(
        call.role,
        PluginRole::Decoder { .. } | PluginRole::Source { .. }
    );
    let about = json!({
        "stage": (!reads).then(|| fate.stage + 1),
        "plugin": call.plugin.name(),
        "world": call.plugin.world().to_string(),
        "digest": call.plugin.digest(),
        "source": call.provenance.source,
        "signer": call.provenance.signer,
        "locked": call.provenance.locked,
        "imports": call.plugin.imports(),
        "config": call.bind.config,
        "terms_digest": digest(step, fate, call),
    });
    match (about, json!(TermsRecord::of(call))) {
        (Value::Object(mut about), Value::Object(terms)) => {
            about.extend(terms);
            Value::Object(about)
        }
        (about, _) => about,
    }
}

fn json(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let after: Vec<&str> = step
                .depends_on
                .iter()
                .filter_map(|needed| plan.steps.get(*needed))
                .map(|needed| needed.step.name.as_str())
                .collect();
            let grants: Vec<Value> = step
                .plugins()
                .iter()
                .map(|(fate, call)| grant_json(step, fate, call))
                .collect();
            let masks: Vec<Value> = step
                .segments
                .iter()
                .flat_map(|segment| &segment.stages)
                .filter_map(|stage| match &stage.work {
                    PlannedWork::Mask(masks) => Some((stage.fate.stage + 1, masks)),
                    PlannedWork::Plugin(_) | PlannedWork::Checks(_) => None,
                })
                .flat_map(|(stage, masks)| {
                    masks.columns().map(move |(column, method)| {
                        json!({ "stage": stage, "column": column, "method": method.name() })
                    })
                })
                .collect();
            let writes: Vec<Value> = step
                .writes
                .iter()
                .map(|write| {
                    json!({
                        "target": write.target.display(),
                        "mode": mode(write.mode),
                        "scope": write
                            .scope
                            .iter()
                            .map(|(name, value)| (name.clone(), Value::from(scope_text(value))))
                            .collect::<serde_json::Map<_, _>>(),
                        "schema": schema_json(&write.table_schema),
                        "schema_changes": write.differences,
                    })
                })
                .collect();
            json!({
                "step": step.step.name,
                "after": after,
                "read": read(step),
                "bad_records": match &step.step.read.source {
                    ReadSource::Files(files) => Some(action(files.on_fail.action)),
                    ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => None,
                },
                "run": step.sql.as_ref().map(database_sql),
                "input": schema_json(&step.input),
                "grants": grants,
                "masks": masks,
                "writes": writes,
                "quarantine": step.quarantine.as_ref().map(|plan| plan.name.to_string()),
                "fingerprint": step.fingerprint,
            })
        })
        .collect();
    let reports: Vec<Value> = plan
        .reports
        .iter()
        .map(|report| {
            json!({
                "title": report.title,
                "chart": report.chart.name(),
                "tables": report.tables.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "missing": report.missing.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    json!({
        "pipeline": plan.pipeline.name,
        "lake": plan.lake.root().display(),
        "params": plan
            .pipeline
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect::<std::collections::BTreeMap<_, _>>(),
        "steps": steps,
        "reports": reports,
    })
}
