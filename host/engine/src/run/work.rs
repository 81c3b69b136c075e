//! What a step has done so far, and whether that is good enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, cast, lit};
use weir_pipeline::{OnFail, ReadSource, Threshold, WriteMode};

use crate::commit::{Counts, Position};
use crate::envelope::{ANY_RULE, READ_STAGE};
use crate::error::{Error, ErrorKind, Result};
use crate::files::InputFile;
use crate::lake::Location;
use crate::plan::{PlannedStep, PlannedWrite, read_label};
use crate::segment::{FileKind, PluginTally, SegmentResult, WrittenFile};
use crate::vault::Vaults;

/// A step's files and counts, over all of its segments.
pub(super) struct Work {
    pub(super) counts: Counts,
    /// For each write of the step its files.
    pub(super) accepted: Vec<Vec<WrittenFile>>,
    pub(super) quarantined: Vec<WrittenFile>,
    pub(super) rejected_by: BTreeMap<(u32, String), u64>,
    pub(super) warned_by: BTreeMap<(u32, String), u64>,
    pub(super) tallies: BTreeMap<u32, Arc<Mutex<PluginTally>>>,
    /// Folders of files between segments, which nobody needs once the step has ended.
    pub(super) staged: Vec<Location>,
    /// The tables read, with their versions.
    pub(super) tables: BTreeMap<String, u64>,
    /// How far the table is read of which new rows are read.
    pub(super) position: Option<Position>,
    /// The tokens of its masks.
    pub(super) vaults: Arc<Vaults>,
    /// When it began.
    pub(super) began: Instant,
}

impl Work {
    /// Adds what a segment did; gives its accepted files where they are not the step's.
    pub(super) fn take(
        &mut self,
        result: SegmentResult,
        first: bool,
        last: bool,
    ) -> Vec<WrittenFile> {
        let mut between = Vec::new();
        for (kind, file) in result.files {
            match kind {
                FileKind::Quarantined => self.quarantined.push(file),
                FileKind::Accepted(index) if last => {
                    if let Some(files) = self.accepted.get_mut(index) {
                        files.push(file);
                    }
                }
                FileKind::Accepted(_) => between.push(file),
            }
        }
        // A query between segments makes other rows of the rows before it: the balance is that of
        // the first segment's input, and what later segments reject is counted by rule.
        if first {
            self.counts = Counts {
                read: result.read,
                accepted: result.accepted,
                quarantined: result.quarantined,
                dropped: result.dropped,
            };
        }
        for (by, rows) in result.rejected_by {
            *self.rejected_by.entry(by).or_default() += rows;
        }
        for (by, rows) in result.warned_by {
            *self.warned_by.entry(by).or_default() += rows;
        }
        between
    }
}

/// Thresholds; whether one of those that only warn was passed, or rows were warned of with none
/// set.
pub(super) fn judge(planned: &PlannedStep, work: &Work, run: &str) -> Result<bool> {
    let mut stages: BTreeMap<u32, (&OnFail, &str)> = BTreeMap::new();
    let read = read_label(&planned.step);
    if let ReadSource::Files(files) = &planned.step.read.source {
        stages.insert(READ_STAGE, (&files.on_fail, &read));
    }
    for segment in &planned.segments {
        for stage in &segment.stages {
            stages.insert(stage.fate.stage, (&stage.on_fail, &stage.fate.label));
        }
        for check in &segment.whole {
            stages.insert(check.fate.stage, (&check.on_fail, &check.fate.label));
        }
    }
    let mut warned = false;
    for (stage, (on_fail, label)) in stages {
        // A row is rejected by one rule; of those that may break several the writer counts rows.
        let rejected: u64 = work
            .rejected_by
            .iter()
            .filter(|((of, _), _)| *of == stage)
            .map(|(_, rows)| rows)
            .sum();
        let any = (stage, ANY_RULE.to_owned());
        let rows = rejected + work.warned_by.get(&any).copied().unwrap_or_default();
        let passed = |threshold: &Threshold| match threshold {
            Threshold::Rows(most) => rows > *most,
            Threshold::Share(most) => rows as f64 > most * work.counts.read as f64,
        };
        if on_fail.fail_above.as_ref().is_some_and(passed) {
            let by_rule: Vec<String> = [&work.rejected_by, &work.warned_by]
                .into_iter()
                .flatten()
                .filter(|((of, rule), _)| *of == stage && rule != ANY_RULE)
                .map(|((_, rule), rows)| format!("{rule} {rows}"))
                .collect();
            return Err(Error::new(
                ErrorKind::Check,
                format!(
                    "{label}: {rows} of {} rows break its rules, more than `fail_above` allows ({})",
                    work.counts.read,
                    by_rule.join(", ")
                ),
            )
            .with_hint(format!("look at the input; no target was changed. Rows that would have gone to quarantine: weir quarantine held {run}")));
        }
        warned |= match &on_fail.warn_above {
            Some(threshold) => passed(threshold),
            None => work.warned_by.keys().any(|(of, _)| *of == stage),
        };
    }
    Ok(warned)
}

/// Says of files that they are read again though they have the path and size of one that was read before: where
/// a store tells them apart by time only, their rows may be the same.
pub(super) fn tell_of_touched(
    planned: &PlannedStep,
    files: &[InputFile],
    loaded: &BTreeSet<InputFile>,
) {
    let known: BTreeSet<(&str, u64)> = loaded
        .iter()
        .map(|file| (file.path.as_str(), file.size))
        .collect();
    let touched = files
        .iter()
        .filter(|file| known.contains(&(file.path.as_str(), file.size)))
        .count();
    if touched > 0 {
        tracing::warn!(
            step = %planned.step.name,
            files = touched,
            "files are read again that have the path and size of files that were read before, and another tag of the store: if they were only touched, their rows are there twice"
        );
    }
}

/// Of rows that the step rejected before: true for those of files that it reads once more, since they have changed. A
/// step that appends adds their rows to those that are there, and so it does with what it rejects.
pub(super) fn rejected_of_changed(
    planned: &PlannedStep,
    files: &[InputFile],
    loaded: &BTreeSet<InputFile>,
) -> Option<Expr> {
    let merges = |write: &PlannedWrite| write.mode == WriteMode::Merge;
    if !planned.writes.iter().all(merges) {
        return None;
    }
    let known: BTreeSet<&str> = loaded.iter().map(|file| file.path.as_str()).collect();
    let changed: Vec<Expr> = files
        .iter()
        .filter(|file| known.contains(file.path.as_str()))
        .map(|file| lit(file.path.clone()))
        .collect();
    let path = cast(
        Expr::Column(Column::from_name("_weir_file")),
        DataType::Utf8,
    );
    (!changed.is_empty()).then(|| path.in_list(changed, false))
}
