//! What holds between the steps of a file: who writes what, and who waits for whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{Fault, Sink};
use crate::model::{
    CheckKind, MaskMethod, Progress, ReadSource, ScopeValue, StageAction, Step, TableName, Target,
    Write, WriteMode,
};

/// Checks the steps of a file against each other.
pub(crate) fn check(steps: &[Step], sink: &Sink) {
    distinct_names(steps, sink);
    append_needs_new_rows(steps, sink);
    new_rows_are_added(steps, sink);
    new_files_are_added_everywhere(steps, sink);
    batches_belong_to_append(steps, sink);
    one_writer_each(steps, sink);
    no_cycle(steps, sink);
    vaults_stand_alone(steps, sink);
}

/// A zone that has a vault has nothing else, and no step touches a vault but by masks: what the tokens
/// stand for is to lie where only few may look.
fn vaults_stand_alone(steps: &[Step], sink: &Sink) {
    let mut vaults: BTreeSet<&TableName> = BTreeSet::new();
    for stage in steps.iter().flat_map(|step| &step.stages) {
        if let StageAction::Mask(masks) = &stage.action {
            vaults.extend(masks.iter().filter_map(|mask| match &mask.method {
                MaskMethod::Token { vault } => Some(vault),
                _ => None,
            }));
        }
    }
    let in_zone = |name: &TableName| vaults.iter().any(|vault| vault.zone == name.zone);
    for step in steps {
        for write in &step.writes {
            if let Target::Table(name) = &write.target
                && in_zone(name)
            {
                sink.push(
                    Fault::new(format!("zone '{}' has a vault, and nothing else may be written there", name.zone))
                        .at(&write.place)
                        .hint("write to another zone; or give the vault a zone of its own, with a `url` that few may read"),
                );
            }
        }
        for name in reads(step).filter(|name| in_zone(name)) {
            sink.push(
                Fault::new(format!("step '{}' reads {name}, in the zone of a vault", step.name))
                    .at(&step.read.place)
                    .hint("a pipeline that makes tokens does not look them up; `weir sql` does, for whoever may read the zone"),
            );
        }
    }
}

fn distinct_names(steps: &[Step], sink: &Sink) {
    let mut seen: BTreeMap<&str, &Step> = BTreeMap::new();
    for step in steps {
        // Steps of one `each` with one name are told where it is unrolled.
        if let Some(first) = seen.insert(&step.name, step)
            && first.place.span != step.place.span
        {
            sink.push(
                Fault::new(format!("two steps are named '{}'", step.name))
                    .at(&step.place)
                    .hint(format!("rename one; the other is at {}", first.place)),
            );
        }
    }
}

fn append_needs_new_rows(steps: &[Step], sink: &Sink) {
    for step in steps {
        let reads_each_once =
            matches!(&step.read.source, ReadSource::Files(files) if files.items.is_none());
        if reads_each_once || step.read.incremental.is_some() {
            continue;
        }
        for write in step
            .writes
            .iter()
            .filter(|write| write.mode == WriteMode::Append)
        {
            sink.push(
                Fault::new("mode 'append' needs a step that reads `files`, or a table with `incremental`, else a rerun would double the rows")
                    .at(&write.place)
                    .hint("use mode = \"replace\" or \"replace-partition\", or read = { …, incremental = { by = \"version\" } }"),
            );
        }
    }
}

/// Whether a write leaves rows of earlier batches where they are.
fn adds(write: &Write) -> bool {
    matches!(write.mode, WriteMode::Append | WriteMode::Merge)
}

fn new_rows_are_added(steps: &[Step], sink: &Sink) {
    for step in steps {
        let Some(incremental) = &step.read.incremental else {
            continue;
        };
        if let Some(write) = step.writes.iter().find(|write| !adds(write)) {
            sink.push(
                Fault::new(
                    "a step that reads new rows only cannot replace those that it wrote before",
                )
                .at(&write.place)
                .hint("write with mode = \"append\" or \"merge\", or leave out `incremental`"),
            );
        }
        let appended = step
            .writes
            .iter()
            .find(|write| write.mode == WriteMode::Append);
        if let (Progress::Cursor { lag: Some(_), .. }, Some(write)) = (&incremental.by, appended) {
            sink.push(
                Fault::new("with `lag` rows are read again, and 'append' would double them")
                    .at(&write.place)
                    .hint("write with mode = \"merge\" and a `key`, or leave out `lag`"),
            );
        }
    }
}

/// A step that adds files to one target reads only those that are new: another target that it replaced would be
/// left with their rows alone.
fn new_files_are_added_everywhere(steps: &[Step], sink: &Sink) {
    for step in steps {
        let ReadSource::Files(files) = &step.read.source else {
            continue;
        };
        let reads_new_ones = files.items.is_none() && step.writes.iter().any(adds);
        let replaced = step.writes.iter().find(|write| !adds(write));
        if let (true, Some(write)) = (reads_new_ones, replaced) {
            sink.push(
                Fault::new(
                    "a step that appends or merges reads new files only, and this target would be left with their rows alone",
                )
                .at(&write.place)
                .hint("write it with mode = \"append\" or \"merge\" too, or in a step of its own"),
            );
        }
    }
}

fn batches_belong_to_append(steps: &[Step], sink: &Sink) {
    for step in steps {
        let ReadSource::Files(files) = &step.read.source else {
            continue;
        };
        let capped = files.max_files.is_some() || files.max_bytes.is_some();
        if capped && !step.writes.iter().all(adds) {
            sink.push(
                Fault::new("`max_files` and `max_bytes` belong to a step that only appends or merges: a batch that replaces would remove the one before")
                    .at(&step.read.place)
                    .hint("leave them out, or write with mode = \"append\" or \"merge\""),
            );
        }
    }
}

/// Several writes to one target are fine if they cannot undo each other.
fn one_writer_each(steps: &[Step], sink: &Sink) {
    let mut targets: BTreeMap<String, Vec<(&Step, &Write)>> = BTreeMap::new();
    for step in steps {
        for write in &step.writes {
            targets
                .entry(target_name(&write.target))
                .or_default()
                .push((step, write));
        }
    }
    for (name, writes) in targets {
        // One fault for each target: what is wrong with one pair is mostly wrong with all.
        if let Some((step, write, first_step, first_write, why)) = conflict(&writes) {
            let by = if step.name == first_step.name {
                format!("twice by step '{}'", step.name)
            } else {
                format!("by steps '{}' and '{}'", first_step.name, step.name)
            };
            let other = if first_write.place.span == write.place.span {
                String::new()
            } else {
                format!("; the other write is at {}", first_write.place)
            };
            sink.push(
                Fault::new(format!("'{name}' is written {by}{why}"))
                    .at(&write.place)
                    .hint(format!("use mode = \"replace-partition\" in all of them, with the same partition columns and different values{other}")),
            );
        }
    }
}

type Conflict<'a> = (&'a Step, &'a Write, &'a Step, &'a Write, &'static str);

fn conflict<'a>(writes: &[(&'a Step, &'a Write)]) -> Option<Conflict<'a>> {
    let ((first_step, first), rest) = writes.split_first()?;
    let all = |mode: WriteMode| writes.iter().all(|(_, write)| write.mode == mode);
    if rest.is_empty() {
        return None;
    }
    if all(WriteMode::Append) || all(WriteMode::Merge) {
        let (step, write) = rest
            .iter()
            .find(|(_, write)| write.merge != first.merge || !same_partitions(write, first))?;
        let why = match write.merge == first.merge {
            true => " with different partition columns",
            false => ", merged in different ways",
        };
        return Some((step, write, first_step, first, why));
    }
    let mut scopes: BTreeMap<Vec<(&str, String)>, (&Step, &Write)> = BTreeMap::new();
    let columns = scope_columns(first);
    for (step, write) in writes {
        let other = [&first.mode, &write.mode]
            .into_iter()
            .find(|mode| **mode != WriteMode::ReplacePartition);
        if let Some(mode) = other {
            // The first write's own mode is told at the second: there the conflict begins.
            let (step, write) = if std::ptr::eq(*write, *first) {
                rest.first()?
            } else {
                &(*step, *write)
            };
            let why = match mode {
                WriteMode::Append => ", not always by appending",
                WriteMode::Merge => ", not always by merging",
                WriteMode::ReplaceDynamic => {
                    ", and one replaces whatever partitions its rows are in"
                }
                WriteMode::Replace | WriteMode::ReplacePartition => {
                    ", and one replaces what the other wrote"
                }
            };
            return Some((step, write, first_step, first, why));
        }
        if scope_columns(write) != columns || write.partition_by != first.partition_by {
            return Some((
                step,
                write,
                first_step,
                first,
                " with different partition columns",
            ));
        }
        let mut scope: Vec<(&str, String)> = write
            .partition
            .iter()
            .map(|(column, value)| (column.as_str(), format!("{value:?}")))
            .collect();
        scope.sort();
        if let Some((other_step, other)) = scopes.insert(scope, (step, write)) {
            return Some((
                step,
                write,
                other_step,
                other,
                " with the same partition values",
            ));
        }
    }
    None
}

/// Whether two writes have the same partition columns, whatever the values.
fn same_partitions(one: &Write, other: &Write) -> bool {
    scope_columns(one) == scope_columns(other) && one.partition_by == other.partition_by
}

/// Names and types of the scope's columns, in no order.
fn scope_columns(write: &Write) -> BTreeSet<(&str, &str)> {
    write
        .partition
        .iter()
        .map(|(column, value)| {
            let kind = match value {
                ScopeValue::String(_) => "string",
                ScopeValue::Int(_) => "int",
                ScopeValue::Date(_) => "date",
            };
            (column.as_str(), kind)
        })
        .collect()
}

fn target_name(target: &Target) -> String {
    match target {
        Target::Table(name) => name.to_string(),
        Target::Database { connection, table } => format!("{table} in connection {connection}"),
    }
}

/// A step waits for those that write what it reads. Tables named in SQL are the engine's to find.
fn no_cycle(steps: &[Step], sink: &Sink) {
    let mut writers: BTreeMap<&TableName, BTreeSet<usize>> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        for write in &step.writes {
            if let Target::Table(name) = &write.target {
                writers.entry(name).or_default().insert(index);
            }
        }
    }
    let edges: BTreeMap<usize, BTreeSet<usize>> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let own = step.read.own.is_some();
            let waits_for = reads(step)
                .filter_map(|table| writers.get(table))
                .flatten()
                .copied()
                .filter(|writer| !(own && *writer == index))
                .collect();
            (index, waits_for)
        })
        .collect();
    let Some(cycle) = find_cycle(&edges) else {
        return;
    };
    let cycle: Vec<&Step> = cycle.iter().filter_map(|index| steps.get(*index)).collect();
    let Some(first) = cycle.first() else {
        return;
    };
    let names: Vec<&str> = cycle
        .iter()
        .chain([first])
        .map(|step| step.name.as_str())
        .collect();
    let fault = if cycle.len() == 1 {
        Fault::new(format!(
            "step '{}' reads a table that it writes itself",
            first.name
        ))
    } else {
        Fault::new(format!(
            "these steps wait for each other: {}",
            names.join(" -> ")
        ))
    };
    sink.push(
        fault
            .at(&first.place)
            .hint(match cycle.len() {
                1 => "read another table, or this one as it was before: as_of = \"before-run\"",
                _ => "each step waits for those that write what it reads; let one of them read or write another table",
            }),
    );
}

/// The tables that a step names outside of SQL.
fn reads(step: &Step) -> impl Iterator<Item = &TableName> {
    let read = match &step.read.source {
        ReadSource::Table(name) => Some(name),
        ReadSource::Files(_) | ReadSource::Sql(_) | ReadSource::Nothing => None,
    };
    let checks = step.stages.iter().flat_map(|stage| match &stage.action {
        StageAction::Checks(stage) => stage.checks.as_slice(),
        StageAction::Transform(_)
        | StageAction::PluginCheck(_)
        | StageAction::Fold(_)
        | StageAction::Sql(_)
        | StageAction::Mask(_)
        | StageAction::Declassify(_) => &[],
    });
    read.into_iter()
        .chain(checks.filter_map(|check| match &check.kind {
            CheckKind::References { table, .. } => Some(table),
            _ => None,
        }))
}

/// The nodes of one cycle, each once, in the direction of the edges; none if there is no cycle.
///
/// `edges` maps a node to those it points to. Nodes that occur only as ends need no entry.
///
/// ```
/// use std::collections::{BTreeMap, BTreeSet};
///
/// let mut edges = BTreeMap::from([(0, BTreeSet::from([1])), (1, BTreeSet::from([2]))]);
/// assert_eq!(weir_pipeline::find_cycle(&edges), None);
/// edges.insert(2, BTreeSet::from([1]));
/// assert_eq!(weir_pipeline::find_cycle(&edges), Some(vec![1, 2]));
/// ```
pub fn find_cycle(edges: &BTreeMap<usize, BTreeSet<usize>>) -> Option<Vec<usize>> {
    let none = BTreeSet::new();
    let ends = |node: usize| edges.get(&node).unwrap_or(&none).iter();
    let mut done = BTreeSet::new();
    for &start in edges.keys() {
        // Depth first without recursion: the path, and beside each node its edges not yet walked.
        let mut path = vec![start];
        let mut open = vec![ends(start)];
        while let (Some(&node), Some(next)) = (path.last(), open.last_mut()) {
            match next.next() {
                Some(end) if path.contains(end) => {
                    return Some(path.into_iter().skip_while(|node| node != end).collect());
                }
                Some(end) if done.contains(end) => {}
                Some(&end) => {
                    path.push(end);
                    open.push(ends(end));
                }
                None => {
                    done.insert(node);
                    path.pop();
                    open.pop();
                }
            }
        }
    }
    None
}
