//! `weir report`.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use weir_engine::lake::Lake;
use weir_engine::record::{RuleCount, RunRecord, RunRequest};
use weir_engine::report::{self, Answer};
use weir_engine::store::Stores;
use weir_pipeline::{ChartKind, ParamValue, Pipeline, Report};
use weir_report::{Few, Figure, Page, Quality, RuleLine, StepLine};

use crate::args::ReportArgs;
use crate::commands::resources;
use crate::failure::Failure;

/// Rows of a line; of everything else a reader has seen enough before.
const MOST_POINTS: usize = 50_000;
const MOST_ROWS: usize = 2_000;
/// How far back a run of the pipeline is looked for, in runs of the lake.
const MOST_RECORDS: usize = 200;

pub(crate) async fn run(args: &ReportArgs) -> Result<u8, Failure> {
    let pipeline = args.pipeline.resolve()?;
    if pipeline.reports.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no [[report]]",
            args.pipeline.pipeline.display()
        ))
        .hint("add one with title, chart and sql: docs/pipelines.md says how"));
    }
    let stores = Stores::of(&pipeline)?;
    let lake = Lake::of(&pipeline, args.lake.as_deref(), false, &stores)?;
    lake.check_format().await?;
    let resources = resources()?;
    let mut answers = Vec::with_capacity(pipeline.reports.len());
    for entry in &pipeline.reports {
        let most = match entry.chart {
            ChartKind::Line => MOST_POINTS,
            ChartKind::Bars | ChartKind::Table | ChartKind::Map | ChartKind::Number => MOST_ROWS,
        };
        answers.push(report::answer(&pipeline, entry, &lake, resources, most).await?);
    }
    let page = Page {
        name: &pipeline.name,
        description: pipeline.description.as_deref(),
        owner: pipeline.owner.as_deref(),
        made: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        figures: figures(&pipeline.reports, &answers),
        quality: quality(&lake, &pipeline).await?,
        params: shown(&pipeline)
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect(),
    };
    let html = weir_report::html(&page)
        .map_err(|error| Failure::usage(error.to_string()).hint(error.hint.clone()))?;
    write(&args.out, &html)?;
    eprintln!(
        "wrote {}: {} reports",
        args.out.display(),
        page.figures.len()
    );
    Ok(0)
}

fn figures<'a>(reports: &'a [Report], answers: &'a [Answer]) -> Vec<Figure<'a>> {
    let both = reports.iter().zip(answers);
    both.map(|(report, answer)| Figure {
        title: &report.title,
        description: report.description.as_deref(),
        chart: report.chart,
        unit: report.unit.as_deref(),
        rows: &answer.rows,
        more: answer.more,
        x: answer.columns.x,
        y: &answer.columns.y,
        series: answer.columns.series,
        few: report
            .suppress
            .as_ref()
            .zip(answer.columns.count)
            .map(|(suppress, count)| Few {
                count,
                below: suppress.below,
            }),
    })
    .collect()
}

/// The parameters that a reader of the page is told: where files lay is nothing to them.
fn shown(pipeline: &Pipeline) -> impl Iterator<Item = (&String, &ParamValue)> {
    let params = pipeline.params.iter();
    params.filter(|(_, value)| !matches!(value, ParamValue::Path(_)))
}

/// What is known of the latest run of all steps with the page's parameters; else of the latest that comes near.
async fn quality(lake: &Lake, pipeline: &Pipeline) -> Result<Option<Quality>, Failure> {
    let same = |record: &RunRecord| {
        shown(pipeline).all(|(name, value)| record.params.get(name) == Some(&value.to_string()))
    };
    let whole = |record: &RunRecord| {
        let in_part = |asked: &RunRequest| {
            asked.replay
                || asked.retry_of.is_some()
                || asked.limit.is_some()
                || !asked.steps.is_empty()
        };
        !record.request.as_ref().is_some_and(in_part)
    };
    let rank = |record: &RunRecord| {
        (record.pipeline == pipeline.name).then(|| match (same(record), whole(record)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        })
    };
    let Some(record) = RunRecord::best(&lake.weir(), MOST_RECORDS, rank).await? else {
        return Ok(None);
    };
    let asked = record.request.as_ref().filter(|_| !whole(&record));
    let in_part = asked.map(|asked| match asked.replay {
        true => "It replayed rows of quarantine.".to_owned(),
        false => "It was not of all steps, or not of all rows.".to_owned(),
    });
    let other_params = (!same(&record)).then(|| {
        let theirs = shown(pipeline).filter_map(|(name, _)| record.params.get_key_value(name));
        let params: Vec<String> = theirs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        params.join(", ")
    });
    let steps = record.steps.iter().map(|step| StepLine {
        step: step.step.clone(),
        status: step.status.to_string(),
        read: step.counts.read,
        accepted: step.counts.accepted,
        quarantined: step.counts.quarantined,
        dropped: step.counts.dropped,
    });
    let rules = record.steps.iter().flat_map(|step| {
        let line = |count: &RuleCount, warned| RuleLine {
            step: step.step.clone(),
            stage: count.stage.clone(),
            rule: count.rule.clone(),
            warned,
            rows: count.rows,
        };
        let rejected = step.rejected.iter().map(move |count| line(count, false));
        rejected.chain(step.warned.iter().map(move |count| line(count, true)))
    });
    Ok(Some(Quality {
        run: record.run.clone(),
        status: record.status.to_string(),
        other_params,
        in_part,
        started: record.started_at.clone(),
        took: record
            .finished_at
            .as_deref()
            .and_then(|end| took(&record.started_at, end)),
        steps: steps.collect(),
        rules: rules.collect(),
    }))
}

/// The time from one moment to another, in words.
fn took(began: &str, ended: &str) -> Option<String> {
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let seconds = (time(ended)? - time(began)?).num_milliseconds() as f64 / 1e3;
    Some(match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    })
}

/// Writes the page in one piece: whoever reads the file sees the one before, or this one.
fn write(path: &Path, html: &str) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> std::io::Result<()> {
        // With the rights of the page before; a new one has those of any file that the user makes.
        let rights = match std::fs::metadata(path) {
            Ok(before) => before.permissions(),
            Err(_) => Permissions::from_mode(0o666),
        };
        let mut file = tempfile::Builder::new()
            .permissions(rights)
            .tempfile_in(folder)?;
        file.write_all(html.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| {
        Failure::new(format!("cannot write '{}': {error}", path.display()))
            .hint("name a file in a folder that you may write to: --out report.html")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_in_words() {
        let took = |end: &str| super::took("2024-05-01T10:00:00Z", end);
        assert_eq!(took("2024-05-01T10:00:07.25Z").unwrap(), "7.2 s");
        assert_eq!(took("2024-05-01T10:23:04Z").unwrap(), "23 min");
        assert_eq!(took("2024-05-01T14:30:00Z").unwrap(), "4.5 h");
        assert_eq!(took("soon"), None);
    }
}
