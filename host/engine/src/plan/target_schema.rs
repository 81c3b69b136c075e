//! The columns of a write as its target keeps them, and the rows that it cannot take.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use weir_pipeline::{
    ColumnChange, FailAction, Fault, OnFail, PartitionBy, ReadSource, Step, TableName, Write,
    WriteMode,
};

use super::schema_fit::{
    ColumnFate, Fitted, Keeper, Meeting, Misfits, Refused, foreign, on_server,
};
use super::stages::at_index;
use super::targets::{StepTargets, is_incremental};
use super::{PlannedSegment, PlannedStage, PlannedWork, SegmentSource};
use crate::delta;
use crate::difference::{DifferenceKind, SchemaDifference};
use crate::envelope::write_stage;
use crate::error::Result;
use crate::lake::{Location, RUN_COLUMN};
use crate::merge::Merging;
use crate::segment::{CheckRule, StageFate};
use crate::server::FoundColumn;
use crate::sqlite;
use crate::types::{sqlite_type, type_text};

/// A table of the lake as a step will find it.
pub(super) struct Existing {
    pub(super) schema: SchemaRef,
    /// Its partition columns; none where a step of this run is about to make it.
    pub(super) partitions: Option<Vec<String>>,
}

/// The columns of a write as its target keeps them.
pub(super) struct KeptColumns {
    /// The schema of the files.
    pub(super) file_schema: SchemaRef,
    /// For each column of the files its index in the output; not for the run's.
    pub(super) columns: Vec<usize>,
    /// The columns of the files of which values that do not fit become null.
    pub(super) lossy: Vec<usize>,
    /// The columns that are written, with partition columns.
    pub(super) written: SchemaRef,
    /// The columns of the table afterwards.
    pub(super) table_schema: SchemaRef,
    /// What differs.
    pub(super) differences: Vec<SchemaDifference>,
    /// Rules that rows are held against, and what becomes of those that break them.
    pub(super) rules: Vec<(FailAction, CheckRule)>,
}

impl KeptColumns {
    /// All columns as they are: the target has been asked in its own way.
    pub(super) fn all(written: &Written<'_>) -> KeptColumns {
        let fields = written.rows.fields().iter().chain(&written.partitions);
        let all = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        KeptColumns {
            file_schema: Arc::new(written.rows.clone()),
            columns: written.columns.to_vec(),
            lossy: Vec::new(),
            written: Arc::clone(&all),
            table_schema: all,
            differences: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// What is written, before its target is looked at.
pub(super) struct Written<'a> {
    pub(super) step: &'a Step,
    pub(super) write: &'a Write,
    pub(super) segment: &'a PlannedSegment,
    /// The index of the output.
    pub(super) output: usize,
    /// Its columns that are kept in files, as the target would keep them; the run's last, if it is kept.
    pub(super) rows: &'a Schema,
    /// For each of them but the run's its index in the output.
    pub(super) columns: &'a [usize],
    /// The partition columns.
    pub(super) partitions: Vec<Arc<Field>>,
    /// How rows are merged.
    pub(super) merge: Option<&'a Merging>,
    /// How people call the target.
    pub(super) target: &'a str,
}

impl StepTargets<'_> {
    /// The table `name`: as a step of this run will leave it, else as it is.
    pub(super) async fn existing(
        &self,
        root: &Location,
        name: &TableName,
    ) -> Result<Option<Existing>> {
        if let Some(schema) = self.known.get(name) {
            return Ok(Some(Existing {
                schema: Arc::clone(schema),
                partitions: None,
            }));
        }
        let found = delta::describe(root).await?;
        Ok(found.map(|(schema, partitions)| Existing {
            schema: crate::segment::EnvelopeExec::visible(&schema),
            partitions: Some(partitions),
        }))
    }

    /// Whether the step's rows take the place of the whole table, and their columns too.
    pub(super) fn replaces(&self, step: &Step, mode: WriteMode) -> bool {
        match mode {
            // They come to those that are there.
            _ if self.replay => false,
            WriteMode::Replace => true,
            WriteMode::Append | WriteMode::Merge => self.full_refresh && is_incremental(step),
            WriteMode::ReplacePartition | WriteMode::ReplaceDynamic => false,
        }
    }

    /// How rows meet a table of the lake.
    pub(super) fn in_lake(
        &self,
        written: &Written<'_>,
        table: Option<&Existing>,
    ) -> Result<KeptColumns> {
        let replaces = self.replaces(written.step, written.write.mode);
        if let Some(table) = table
            && !replaces
        {
            partitioned_alike(written, table)?;
        }
        let table = table.map(|table| table.schema.as_ref());
        self.fit(written, table, (Keeper::Lake, replaces))
    }

    /// How rows meet a table of a SQLite file.
    pub(super) fn in_sqlite(
        &self,
        written: &Written<'_>,
        (connection, path, table): (&str, &Path, &str),
    ) -> Result<KeptColumns> {
        let all = written.rows.fields().iter().chain(&written.partitions);
        let kept: Vec<(&str, String, &DataType)> = all
            .filter_map(|field| {
                let own = sqlite_type(field.data_type()).ok()?;
                Some((field.name().as_str(), own, field.data_type()))
            })
            .collect();
        let there = match (
            self.ahead.table(connection, table),
            sqlite::describe(path, table)?,
        ) {
            (Some(ahead), there) => Some(ahead.in_file(there.unwrap_or_default())),
            (None, there) => there,
        };
        let there = there.map(|columns| {
            let fields = columns.iter().map(|(name, told)| {
                let same = kept.iter().find(|(own, kept, data_type)| {
                    own == name && sqlite::is_alike(kept, data_type, told)
                });
                foreign(
                    name,
                    told,
                    same.map(|(_, _, data_type)| (*data_type).clone()),
                )
            });
            Schema::new(fields.collect::<Vec<_>>())
        });
        let replaces = self.replaces(written.step, written.write.mode);
        self.fit(written, there.as_ref(), (Keeper::File, replaces))
    }

    /// How rows meet a table of a server; `remakes` says that it is made anew where its columns differ.
    pub(super) fn at_server(
        &self,
        written: &Written<'_>,
        there: Option<&[FoundColumn]>,
        remakes: bool,
    ) -> Result<KeptColumns> {
        let here = |name: &str| {
            let rows = written.rows.fields().iter();
            let mut all = rows.chain(&written.partitions);
            all.find(|field| field.name() == name)
                .map(|field| field.data_type())
        };
        let by_value = match written.write.schema_change.changed_type {
            ColumnChange::Quarantine | ColumnChange::Discard => true,
            ColumnChange::Evolve | ColumnChange::Freeze => false,
        };
        let there = there.map(|columns| {
            let fields = columns.iter().filter_map(|column| {
                let here = here(&column.name);
                // What the server fills by itself rows need not have.
                let meets = here.is_some() || !column.filled;
                // A scope has one value, and that of its own type.
                let is_scope = written
                    .partitions
                    .iter()
                    .any(|field| *field.name() == column.name);
                meets.then(|| on_server(column, here, by_value && !is_scope))
            });
            Schema::new(fields.collect::<Vec<_>>())
        });
        self.fit(written, there.as_ref(), (Keeper::Server, remakes))
    }

    fn fit(
        &self,
        written: &Written<'_>,
        table: Option<&Schema>,
        (keeper, replaces): (Keeper, bool),
    ) -> Result<KeptColumns> {
        let Written { step, write, .. } = written;
        let mut change = write.schema_change.clone();
        if self.isolated {
            // Nothing is in the lake of a dry run.
            change.new_table = weir_pipeline::TableChange::Evolve;
        }
        let origin = |column: &str| origin(step, written.segment, written.output, column);
        let meeting = Meeting {
            change: &change,
            replaces,
            rows: written.rows,
            partitions: &written.partitions,
            table,
            keeper,
            origin: &origin,
        };
        let fitted = meeting
            .fit()
            .map_err(|refused| told(written, (keeper, replaces), refused))?;
        if !meeting.replaces {
            known_keys(written, &fitted)?;
        }
        kept_columns(written, fitted)
    }
}

/// What to say where rows cannot go to a table.
fn told(written: &Written<'_>, (keeper, replaces): (Keeper, bool), refused: Refused) -> Fault {
    let Refused { reasons, hint } = refused;
    let target = match keeper {
        Keeper::Lake => format!("{} has other columns than the step writes", written.target),
        Keeper::Server => format!(
            "{} has other columns or types than the step writes",
            written.target
        ),
        Keeper::File => {
            let table = written.target.rsplit(':').next().unwrap_or_default();
            format!(
                "table '{table}' has other columns or types than the step writes, in {}",
                written.target
            )
        }
    };
    let hint = hint.unwrap_or_else(|| match replaces {
        true => "let the step's rows have the table's columns, write another table, or say what becomes of such columns with `schema_change`".to_owned(),
        false => "write another table, or replace the whole table with mode = \"replace\"; or say what becomes of such columns with `schema_change`".to_owned()
    });
    Fault::new(format!("{target}: {}", reasons.join("; ")))
        .at(&written.write.place)
        .hint(hint)
}

/// The partition columns of a table that is there cannot change.
fn partitioned_alike(written: &Written<'_>, table: &Existing) -> Result<()> {
    let write = written.write;
    let by: Vec<String> = write
        .partition
        .iter()
        .map(|(name, _)| name.clone())
        .chain(write.partition_by.iter().map(PartitionBy::name))
        .collect();
    match &table.partitions {
        Some(partitions) if *partitions != by => Err(Fault::new(format!(
            "{} is partitioned by ({}), the write by ({})",
            written.target,
            partitions.join(", "),
            by.join(", ")
        ))
        .at(&write.place)
        .hint("keep the partition columns, or write another table")
        .into()),
        _ => Ok(()),
    }
}

fn kept_columns(written: &Written<'_>, fitted: Fitted) -> Result<KeptColumns> {
    let fault = |why: String, hint: &str| Fault::new(why).at(&written.write.place).hint(hint);
    let mut kept = KeptColumns {
        file_schema: Arc::new(Schema::empty()),
        columns: Vec::new(),
        lossy: Vec::new(),
        written: fitted.written,
        table_schema: fitted.table_schema,
        differences: fitted.differences,
        rules: Vec::new(),
    };
    let mut fields: Vec<Arc<Field>> = Vec::new();
    let mut indices = written.columns.iter();
    for (field, fate) in written.rows.fields().iter().zip(&fitted.columns) {
        let index = match field.name() == RUN_COLUMN {
            true => None,
            false => indices.next().copied(),
        };
        needed(written, field.name(), fate)?;
        if let (Some(column), Some((action, rule))) = (index, rule(field, fate, written.target)) {
            kept.rules.push((action, rule(column)));
        }
        if let Some(data_type) = &fate.kept {
            if fate.misfits == Misfits::Discarded {
                kept.lossy.push(fields.len());
            }
            // The field itself where nothing changes: a database has columns that are never null.
            fields.push(match data_type == field.data_type() {
                true => Arc::clone(field),
                false => Arc::new(Field::new(field.name(), data_type.clone(), true)),
            });
            kept.columns.extend(index);
        }
    }
    if kept.columns.is_empty() {
        return Err(fault(
            format!("none of the columns is in {}, no data is left to write", written.target),
            "let the table have them with schema_change = { new_column = \"evolve\" }, or write another table",
        )
        .into());
    }
    kept.file_schema = Arc::new(Schema::new(fields));
    Ok(kept)
}

/// Rows that are there have keys: by a column that they have not, none can be told apart.
fn known_keys(written: &Written<'_>, fitted: &Fitted) -> Result<()> {
    let Some(merge) = written.merge else {
        return Ok(());
    };
    let new = fitted.differences.iter().find(|difference| {
        let key = difference.column.as_ref();
        difference.kind == DifferenceKind::NewColumn
            && key.is_some_and(|key| merge.key.contains(key))
    });
    match new {
        None => Ok(()),
        Some(difference) => Err(Fault::new(format!(
            "'{}' is part of `key` and not in {}",
            difference.column.as_deref().unwrap_or_default(),
            written.target
        ))
        .at(&written.write.place)
        .hint("merge by columns that the table has, or write another table")
        .into()),
    }
}

/// Columns without which the step cannot do what it is to do.
fn needed(written: &Written<'_>, name: &str, fate: &ColumnFate) -> Result<()> {
    let merge = written.merge;
    let by = |names: &[String]| names.iter().any(|needed| needed == name);
    let merged_by = merge.is_some_and(|merge| by(&merge.key) || by(&merge.order));
    let lost = match fate.misfits {
        Misfits::None => false,
        Misfits::Discarded => true,
        Misfits::Rejected => fate.kept.is_none(),
    };
    if merged_by && lost {
        return Err(Fault::new(format!(
            "'{name}' is part of `key` or `order`, and {} does not keep all of its values",
            written.target
        ))
        .at(&written.write.place)
        .hint("merge by columns that the table has, in its types")
        .into());
    }
    let judged = written
        .segment
        .whole
        .iter()
        .find(|check| check.output == written.output && by(&check.names));
    match judged {
        Some(check) if fate.kept.is_none() => Err(Fault::new(format!(
            "'{}' judges '{name}' among the rows of {}, which has no such column",
            check.rule, written.target
        ))
        .at(&check.place)
        .hint("let the table have the column with schema_change = { new_column = \"evolve\" }, or leave the check out")
        .into()),
        _ => Ok(()),
    }
}

/// The rule that rows are held against for a column, for its index in the output.
fn rule(
    field: &Field,
    fate: &ColumnFate,
    target: &str,
) -> Option<(FailAction, impl FnOnce(usize) -> CheckRule)> {
    let name = field.name();
    let (action, rule, message) = match (fate.misfits, &fate.kept) {
        // What a table has no column for is left out without a word each time.
        (Misfits::None, _) | (Misfits::Discarded, None) => return None,
        (Misfits::Rejected, None) => (
            FailAction::Quarantine,
            format!("new_column({name})"),
            format!("{name} has a value, and {target} has no such column"),
        ),
        (misfits, Some(kept)) => (
            match misfits {
                Misfits::Discarded => FailAction::Warn,
                Misfits::None | Misfits::Rejected => FailAction::Quarantine,
            },
            format!("changed_type({name})"),
            format!(
                "{name} has a value that {}, its type in {target}, does not hold",
                type_text(kept)
            ),
        ),
    };
    let kept_as = fate.kept.clone();
    Some((action, move |column| CheckRule::Unkept {
        rule: rule.into(),
        message: message.into(),
        column,
        kept_as,
    }))
}

/// Where a column of an output comes from, for people.
fn origin(step: &Step, segment: &PlannedSegment, output: usize, column: &str) -> String {
    let has = |outputs: &[(String, SchemaRef)], output: usize| {
        at_index(outputs, output).is_ok_and(|(_, schema)| schema.field_with_name(column).is_ok())
    };
    if segment.input.field_with_name(column).is_ok() {
        return match (&segment.source, &step.read.source) {
            (SegmentSource::Sql(_), _) => "from the last `sql` stage".to_owned(),
            (SegmentSource::Fold(fold), _) => {
                format!("from the fold '{}'", fold.call.plugin.name())
            }
            (SegmentSource::Read, ReadSource::Files(read)) => format!("read from {}", read.glob),
            (SegmentSource::Read, ReadSource::Table(name)) => format!("read from {name}"),
            (SegmentSource::Read, ReadSource::Sql(_)) => "from the query of `read`".to_owned(),
            (SegmentSource::Read, ReadSource::Nothing) => "from nothing".to_owned(),
        };
    }
    let stage = segment.stages.iter().find(|stage| {
        let last = stage.above.len().saturating_sub(1);
        has(&stage.above, output.min(last))
    });
    match stage.and_then(|stage| step.stages.get(stage.fate.stage as usize)) {
        Some(stage) => format!("from {}", stage.label),
        None => "from the step's stages".to_owned(),
    }
}

/// What the rows of a write are held against.
pub(super) struct Judged {
    /// The output.
    pub(super) output: usize,
    /// How people call the target.
    pub(super) target: String,
    /// The rules, and what becomes of rows that break them.
    pub(super) rules: Vec<(FailAction, CheckRule)>,
}

/// The stages that hold rows against what the targets can take; `judged` has the rules of each write.
pub(super) fn stages_of(
    step: &Step,
    segment: &PlannedSegment,
    judged: Vec<Judged>,
) -> Vec<PlannedStage> {
    let mut stages = Vec::new();
    for ((index, write), judged) in step.writes.iter().enumerate().zip(judged) {
        let Judged {
            output,
            target,
            rules,
        } = judged;
        for action in [FailAction::Quarantine, FailAction::Warn] {
            let of_action = rules.iter().filter(|(other, _)| *other == action);
            let of_action: Vec<CheckRule> = of_action.map(|(_, rule)| rule.clone()).collect();
            if of_action.is_empty() {
                continue;
            }
            stages.push(PlannedStage {
                fate: StageFate {
                    stage: write_stage(index),
                    label: format!("step '{}' write {target}", step.name).into(),
                    action,
                },
                on_fail: OnFail {
                    action,
                    fail_above: write.schema_change.fail_above,
                    warn_above: write.schema_change.warn_above,
                },
                output,
                work: PlannedWork::Checks(of_action.into()),
                above: segment.outputs.clone(),
                place: write.place.clone(),
            });
        }
    }
    stages
}
