//! Which rows only one of two sets of files has: each row as often as it is there more than in the other.
//!
//! Both sets are given a sign and added up by all of their columns; what comes to nothing is in both. So
//! the memory is the pool's, which spills, and neither set need be in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, ParquetReadOptions};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;

use super::pairs::{Gatherer, Layout};
use super::report::{Both, ColumnChange, Rows};
use crate::error::{Error, Result};
use crate::lake::Location;
use crate::partition::PartitionColumn;
use crate::plan::{PlannedWrite, QuarantinePlan};
use crate::run::Ground;
use crate::segment::WrittenFile;
use crate::session;
use crate::types::type_text;

/// The column that says how often the new side has a row more than the old one.
const MORE: &str = "__weir_more";

/// The rows of some files.
pub(super) struct RowSet<'a> {
    root: &'a Location,
    /// The columns in the files.
    schema: SchemaRef,
    /// The columns that are not in the files, since rows of a file share their values.
    by: &'a [PartitionColumn],
    files: &'a [WrittenFile],
}

impl<'a> RowSet<'a> {
    pub(super) fn of_write(
        write: &'a PlannedWrite,
        (root, files): &'a (Location, Vec<WrittenFile>),
    ) -> RowSet<'a> {
        RowSet {
            root,
            schema: Arc::clone(&write.file_schema),
            by: &write.by,
            files,
        }
    }

    pub(super) fn of_quarantine(plan: &'a QuarantinePlan, files: &'a [WrittenFile]) -> RowSet<'a> {
        RowSet {
            root: &plan.root,
            schema: Arc::clone(&plan.written_schema),
            by: &[],
            files,
        }
    }

    /// All columns with their types.
    fn columns(&self) -> Vec<(String, DataType)> {
        let fields = self.schema.fields().iter();
        let in_files = fields.map(|field| (field.name().clone(), field.data_type().clone()));
        let by = self.by.iter();
        let by = by.map(|column| (column.name.clone(), column.data_type.clone()));
        in_files.chain(by).collect()
    }

    async fn frame(&self, context: &SessionContext) -> Result<DataFrame> {
        let mut parts: BTreeMap<&[Option<String>], Vec<String>> = BTreeMap::new();
        for file in self.files {
            let path = self.root.file(&file.path).url().to_string();
            let values = match self.by {
                [] => &[],
                _ => file.partition.as_slice(),
            };
            parts.entry(values).or_default().push(path);
        }
        self.root.register(&context.runtime_env());
        let mut all: Option<DataFrame> = None;
        for (values, paths) in parts {
            let options = ParquetReadOptions::default().schema(&self.schema);
            let mut frame = context.read_parquet(paths, options).await?;
            for (column, value) in self.by.iter().zip(values) {
                let value = ScalarValue::Utf8(value.clone());
                frame =
                    frame.with_column(&column.name, cast(lit(value), column.data_type.clone()))?;
            }
            all = Some(match all {
                None => frame,
                Some(before) => before.union(frame)?,
            });
        }
        match all {
            Some(frame) => Ok(frame),
            None => {
                let columns = self.columns().into_iter();
                let fields = columns.map(|(name, data_type)| Field::new(name, data_type, true));
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                Ok(context.read_table(Arc::new(EmptyTable::new(schema)))?)
            }
        }
    }
}

/// How rows are compared.
pub(super) struct Wanted {
    /// The columns that say which rows are the same.
    pub(super) key: Vec<String>,
    /// The columns by which examples are in order, where there is no key.
    pub(super) order: Vec<String>,
    /// The columns whose values are not told.
    pub(super) hidden: BTreeSet<String>,
    /// The columns that are not looked at.
    pub(super) left_out: fn(&str) -> bool,
    /// How many rows of each kind are shown.
    pub(super) show: usize,
}

/// What was found.
pub(super) struct Compared {
    /// The key, where both sides have all of its columns in one type.
    pub(super) key: Vec<String>,
    /// The columns by which rows were compared.
    pub(super) columns: Vec<String>,
    pub(super) schema: Vec<ColumnChange>,
    pub(super) rows: Rows,
}

/// Compares two sets of rows by the columns that both have in one type.
pub(super) async fn compare(
    ground: &Ground,
    sets: &Both<RowSet<'_>>,
    wanted: Wanted,
) -> Result<Compared> {
    let columns = |set: &RowSet<'_>| -> Vec<(String, DataType)> {
        let columns = set.columns().into_iter();
        columns
            .filter(|(name, _)| !(wanted.left_out)(name))
            .collect()
    };
    let (old, new) = (columns(&sets.old), columns(&sets.new));
    let schema = changes(&old, &new);
    let shared: Vec<(String, DataType)> = old
        .into_iter()
        .filter(|column| new.contains(column))
        .collect();
    let names: Vec<String> = shared.iter().map(|(name, _)| name.clone()).collect();
    let key = match wanted.key.iter().all(|name| names.contains(name)) {
        true => wanted.key,
        false => Vec::new(),
    };
    let mut compared = Compared {
        columns: names.clone(),
        schema,
        rows: Rows::default(),
        key,
    };
    if names.is_empty() {
        return Ok(compared);
    }
    let first = match compared.key.is_empty() {
        true => &wanted.order,
        false => &compared.key,
    };
    let context = session::session(&ground.runtime, ground.resources);
    let frame = difference(&context, sets, &shared, first).await?;
    let mut gatherer = Gatherer::new(
        Layout::of(&names, &compared.key, &wanted.hidden),
        wanted.show,
    );
    let mut batches = frame.execute_stream().await?;
    while let Some(batch) = batches.try_next().await? {
        if ground.stop.is_cancelled() {
            return Err(
                Error::new(crate::ErrorKind::Interrupted, "the comparison was stopped")
                    .with_hint("nothing was changed; run the same command again"),
            );
        }
        gatherer.take(&batch)?;
    }
    compared.rows = gatherer.finish()?;
    Ok(compared)
}

/// The rows of which one side has more, with how many of them; in order by the columns `first`, then by
/// the others that have an order.
async fn difference(
    context: &SessionContext,
    sets: &Both<RowSet<'_>>,
    columns: &[(String, DataType)],
    first: &[String],
) -> Result<DataFrame> {
    let signed = |frame: DataFrame, sign: i64| -> Result<DataFrame> {
        let all = columns.iter().map(|(name, _)| named(name).alias(name));
        let sign = std::iter::once(lit(sign).alias(MORE));
        Ok(frame.select(all.chain(sign).collect::<Vec<_>>())?)
    };
    let old = signed(sets.old.frame(context).await?, -1)?;
    let new = signed(sets.new.frame(context).await?, 1)?;
    let keys: Vec<Expr> = columns.iter().map(|(name, _)| named(name)).collect();
    let rows = old
        .union(new)?
        .aggregate(keys, vec![sum(named(MORE)).alias(MORE)])?
        .filter(named(MORE).not_eq(lit(0_i64)))?;
    let ordered = |name: &&String| {
        let column = columns.iter().find(|(column, _)| column == *name);
        column.is_some_and(|(_, data_type)| !data_type.is_nested())
    };
    let rest = columns.iter().map(|(name, _)| name);
    let rest = rest.filter(|name| !first.contains(*name));
    let order: Vec<_> = first
        .iter()
        .chain(rest)
        .filter(ordered)
        .map(|name| named(name).sort(true, true))
        .collect();
    Ok(match order.is_empty() {
        true => rows,
        false => rows.sort(order)?,
    })
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The columns that one of the two has not, or has in another type.
fn changes(old: &[(String, DataType)], new: &[(String, DataType)]) -> Vec<ColumnChange> {
    let type_in = |columns: &[(String, DataType)], name: &str| {
        let found = columns.iter().find(|(column, _)| column == name);
        found.map(|(_, data_type)| data_type.clone())
    };
    let only_new = new.iter().filter(|(name, _)| type_in(old, name).is_none());
    old.iter()
        .chain(only_new)
        .filter_map(|(name, _)| {
            let types = Both {
                old: type_in(old, name),
                new: type_in(new, name),
            };
            types.differs().then(|| ColumnChange {
                column: name.clone(),
                types: Both {
                    old: types.old.as_ref().map(type_text),
                    new: types.new.as_ref().map(type_text),
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_change_by_name_and_type() {
        let column = |name: &str, data_type: DataType| (name.to_owned(), data_type);
        let old = [
            column("a", DataType::Int64),
            column("b", DataType::Int64),
            column("c", DataType::Utf8),
        ];
        let new = [
            column("d", DataType::Date32),
            column("a", DataType::Int64),
            column("b", DataType::Utf8),
        ];
        let found: Vec<(String, Option<String>, Option<String>)> = changes(&old, &new)
            .into_iter()
            .map(|change| (change.column, change.types.old, change.types.new))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("b".to_owned(), text("int64"), text("string")),
                ("c".to_owned(), text("string"), None),
                ("d".to_owned(), None, text("date")),
            ]
        );
    }
}
