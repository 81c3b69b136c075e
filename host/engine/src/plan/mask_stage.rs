//! A stage that masks, typed; and which columns of rejected rows are masked because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use weir_pipeline::{
    ColumnMask, FailAction, Fault, MaskMethod, OnFail, Stage, StageAction, Step, TableName,
};

use super::sensitivity;
use super::stages::{StepPlanner, at_index, column_index, output_index};
use super::{PlannedSegment, PlannedStage, PlannedStep, PlannedWork, SegmentSource};
use crate::error::{Error, Result};
use crate::mask::{MaskKey, Masks, Method};
use crate::secret;
use crate::segment::StageFate;

impl PlannedStep {
    /// Whether it masks anything: then no text of records that could not be read is kept.
    pub fn masks(&self) -> bool {
        masks(&self.step)
    }

    /// The vaults that its masks need, each with the labels of the values that it gets.
    pub fn vaults(&self) -> BTreeMap<TableName, BTreeSet<String>> {
        let mut vaults: BTreeMap<TableName, BTreeSet<String>> = BTreeMap::new();
        let stages = self.segments.iter().flat_map(|segment| &segment.stages);
        for stage in stages {
            let PlannedWork::Mask(masks) = &stage.work else {
                continue;
            };
            for (_, method) in masks.columns() {
                if let Method::Token(vault, labels) = method {
                    let of = vaults.entry(vault.clone()).or_default();
                    of.extend(labels.iter().cloned());
                }
            }
        }
        vaults
    }
}

/// Whether a step masks anything.
pub(super) fn masks(step: &Step) -> bool {
    let mut stages = step.stages.iter();
    stages.any(|stage| matches!(stage.action, StageAction::Mask(_)))
}

/// The vaults that the masks of `step` name.
pub(super) fn vaults(step: &Step) -> impl Iterator<Item = &TableName> {
    let masks = step.stages.iter().flat_map(|stage| match &stage.action {
        StageAction::Mask(masks) => masks.as_slice(),
        _ => &[],
    });
    masks.filter_map(|mask| match &mask.method {
        MaskMethod::Token { vault } => Some(vault),
        _ => None,
    })
}

impl StepPlanner<'_> {
    pub(super) fn mask(
        &self,
        segment: &mut PlannedSegment,
        (index, stage): (u32, &Stage),
        masks: &[ColumnMask],
        label: &Arc<str>,
    ) -> Result<()> {
        let output = output_index(&segment.outputs, stage)?;
        let (name, schema) = at_index(&segment.outputs, output)?.clone();
        let mut columns = Vec::with_capacity(masks.len());
        for mask in masks {
            let column = column_index(&schema, &mask.column, &mask.place)?;
            let checked = segment
                .whole
                .iter()
                .find(|check| check.output == output && check.names.contains(&mask.column));
            if let Some(check) = checked {
                return Err(Fault::new(format!(
                    "'{}' is judged over the rows that the step writes, and this mask changes them",
                    check.rule
                ))
                .at(&mask.place)
                .hint("put the check after the mask, or into a step before")
                .into());
            }
            let labels = segment.labels.outputs.get(output);
            let labels = labels.and_then(|labels| labels.get(&mask.column));
            columns.push((column, self.method(mask, labels)?));
        }
        sensitivity::vaults_may_hold(self.pipeline, segment, output, masks)?;
        let masked = Masks::new(&schema, columns).map_err(|(column, why)| {
            let name = schema.field(column).name();
            let mask = masks.iter().find(|mask| mask.column == *name);
            let place = mask.map_or(&stage.place, |mask| &mask.place);
            Error::from(
                Fault::new(format!("'{name}' cannot be masked so: it {why}"))
                    .at(place)
                    .hint("use method \"null\", or bring the column into another type in a query before"),
            )
        })?;
        let above = (name, Arc::clone(masked.schema()));
        segment.outputs.splice(output..=output, [above]);
        if let Some(labels) = segment.labels.outputs.get_mut(output) {
            labels.retain(|name, _| !masks.iter().any(|mask| mask.column == *name));
        }
        segment.stages.push(PlannedStage {
            fate: StageFate {
                stage: index,
                label: Arc::clone(label),
                action: FailAction::Fail,
            },
            on_fail: OnFail {
                action: FailAction::Fail,
                fail_above: None,
                warn_above: None,
            },
            output,
            work: PlannedWork::Mask(Arc::new(masked)),
            above: segment.outputs.clone(),
            place: stage.place.clone(),
        });
        Ok(())
    }

    fn method(&self, mask: &ColumnMask, labels: Option<&BTreeSet<String>>) -> Result<Method> {
        Ok(match &mask.method {
            MaskMethod::Null => Method::Null,
            MaskMethod::Year => Method::Year,
            MaskMethod::Partial { keep } => Method::Partial(*keep),
            MaskMethod::Token { vault } => {
                Method::Token(vault.clone(), labels.cloned().unwrap_or_default())
            }
            MaskMethod::Hmac { key } => {
                let text = secret::read(&mask.column, key, &self.pipeline.dir, &mask.place)?;
                Method::Hmac(MaskKey::new(key, &text).map_err(|why| {
                    Error::from(
                        Fault::new(format!("'{}' cannot be masked: {why}", mask.column))
                            .at(&mask.place)
                            .hint("make one with `openssl rand -hex 32`, and keep it as you keep a password"),
                    )
                })?)
            }
        })
    }
}

/// Settles what quarantine does not see: in each segment the columns of its input that this or a later
/// stage masks, and what plugins that stand before a mask say in their own words.
///
/// A column is known by its name, through plugins too, and by the columns that a query makes it of. What
/// its mask cannot be applied to there (the type may be another, two masks may meet) is null.
pub(super) fn keep_masked(segments: &mut [PlannedSegment]) -> Result<()> {
    let mut wanted: BTreeMap<String, Method> = BTreeMap::new();
    let mut masked_after = false;
    for segment in segments.iter_mut().rev() {
        for stage in segment.stages.iter_mut().rev() {
            match &mut stage.work {
                PlannedWork::Mask(masks) => {
                    masked_after = true;
                    for (column, method) in masks.columns() {
                        want(&mut wanted, column, method);
                    }
                }
                PlannedWork::Plugin(call) => call.words_kept_out = masked_after,
                PlannedWork::Checks(_) => {}
            }
        }
        segment.kept = Arc::new(masks_of(&segment.input, &wanted)?);
        if let SegmentSource::Sql(_) = &segment.source {
            let mut before = wanted.clone();
            for (column, method) in &wanted {
                let Some(sources) = segment.made_of.get(column) else {
                    continue;
                };
                for source in sources.iter().filter(|source| *source != column) {
                    let method = match sources.len() {
                        1 => method,
                        _ => &Method::Null,
                    };
                    want(&mut before, source, method);
                }
            }
            wanted = before;
        }
    }
    Ok(())
}

fn want(wanted: &mut BTreeMap<String, Method>, column: &str, method: &Method) {
    wanted
        .entry(column.to_owned())
        .and_modify(|known| {
            if known != method {
                *known = Method::Null;
            }
        })
        .or_insert_with(|| method.clone());
}

fn masks_of(input: &Schema, wanted: &BTreeMap<String, Method>) -> Result<Masks> {
    let columns = input.fields().iter().enumerate();
    let columns = columns
        .filter_map(|(index, field)| {
            let method = wanted.get(field.name())?;
            Some(match method.masked(field.data_type()) {
                Ok(_) => (index, method.clone()),
                Err(_) => (index, Method::Null),
            })
        })
        .collect();
    Masks::new(input, columns).map_err(|(_, why)| Error::internal(format!("a column {why}")))
}
