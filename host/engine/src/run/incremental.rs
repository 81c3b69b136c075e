//! The rows of a table that a step has not read yet.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::{Expr, lit, when};
use deltalake_core::DeltaTable;
use weir_pipeline::{Incremental, Lag, Progress, Removed, TableName, WriteMode};

use super::step::StepRun;
use crate::changes::Changes;
use crate::commit::Position;
use crate::database::{Snapshots, is_of_database};
use crate::delta;
use crate::error::{Error, Result};
use crate::lake::Location;
use crate::plan::PlannedStep;
use crate::session;

/// The rows of a table that a step has not read yet: those of one snapshot, for all passes.
pub(super) struct NewRows {
    /// The table.
    pub(super) name: TableName,
    /// How far the step has read once it has read them; absent where there has never been a row.
    pub(super) position: Option<Position>,
    /// Of rows that a step rejected before: true for those that are read again.
    pub(super) again: Option<Expr>,
    /// The rows, for queries.
    pub(super) rows: Arc<dyn TableProvider>,
    /// The same, each with its data file.
    pub(super) with_file: Arc<dyn TableProvider>,
    /// The snapshot's version, where tables have versions.
    pub(super) version: Option<u64>,
}

/// What is new.
struct Source<'a> {
    planned: &'a PlannedStep,
    incremental: &'a Incremental,
    context: SessionContext,
    table: Table,
}

/// The table, as it is now.
enum Table {
    Lake {
        root: Location,
        table: DeltaTable,
        version: u64,
    },
    Database(Arc<dyn TableProvider>),
}

impl NewRows {
    /// What is new since `before`; none if nothing is.
    ///
    /// # Errors
    /// Usage, if it cannot be said what is new.
    pub(super) async fn find(
        shared: &StepRun,
        planned: &PlannedStep,
        incremental: &Incremental,
        before: Option<Position>,
        snapshots: &Snapshots,
    ) -> Result<Option<NewRows>> {
        let name = &incremental.table;
        let table = if is_of_database(&shared.plan.pipeline, name) {
            Table::Database(snapshots.table(name).await?)
        } else {
            let root = shared.plan.lake.table(name)?;
            let Some(table) = delta::open(&root).await? else {
                return Err(Error::input(format!(
                    "step '{}': {name} is not in the lake",
                    planned.step.name
                ))
                .with_hint("run the step that writes it first (leave out --step)"));
            };
            let version = table.snapshot()?.version();
            Table::Lake {
                root,
                table,
                version,
            }
        };
        let source = Source {
            planned,
            incremental,
            context: session::session(&shared.runtime, shared.options.resources),
            table,
        };
        match &incremental.by {
            Progress::Version { removed } => source.by_version(*removed, before).await,
            Progress::Cursor { column, lag } => source.by_cursor(column, *lag, before).await,
        }
    }
}

impl Source<'_> {
    fn name(&self) -> String {
        self.incremental.table.to_string()
    }

    /// How far the step has read is not to be compared with what it is to read.
    fn elsewhere(&self, why: &str) -> Error {
        Error::usage(format!("step '{}': {why}", self.planned.step.name))
            .with_hint("run the step with --full-refresh: it reads all rows, in place of those that it has written")
    }

    async fn all(&self, with_file: bool) -> Result<Arc<dyn TableProvider>> {
        match (&self.table, with_file) {
            (Table::Lake { table, .. }, true) => delta::provider_with_file(table).await,
            (Table::Lake { table, .. }, false) => delta::provider_of(table).await,
            (Table::Database(table), _) => Ok(Arc::clone(table)),
        }
    }

    /// The version of the table, where it has one.
    fn version(&self) -> Option<u64> {
        match &self.table {
            Table::Lake { version, .. } => Some(*version),
            Table::Database(_) => None,
        }
    }

    /// Whether nothing has changed in the table since it had a version.
    async fn is_unchanged(&self, since: Option<u64>) -> Result<bool> {
        let (Table::Lake { root, version, .. }, Some(since)) = (&self.table, since) else {
            return Ok(false);
        };
        if since > *version {
            return Ok(false);
        }
        let changes = Changes::between(root, since, *version).await?;
        Ok(changes.is_some_and(|changes| !changes.any()))
    }

    async fn by_version(
        &self,
        removed: Removed,
        before: Option<Position>,
    ) -> Result<Option<NewRows>> {
        let Table::Lake {
            root,
            table: snapshot,
            version: now,
        } = &self.table
        else {
            return Err(Error::internal("a database's table has no versions"));
        };
        let id = snapshot.snapshot()?.metadata().id().to_owned();
        let position = Position::Version {
            table: self.name(),
            id: id.clone(),
            version: *now,
        };
        let from = match before {
            None => None,
            Some(Position::Version {
                table,
                id: known,
                version,
            }) if table == self.name() => {
                if known != id || version > *now {
                    return Err(self.elsewhere(&format!("{table} has been made anew")));
                }
                Some(version)
            }
            Some(_) => {
                return Err(self.elsewhere("so far it has not read this table by version"));
            }
        };
        let Some(from) = from else {
            let (rows, with_file) = (self.all(false).await?, self.all(true).await?);
            return self.found(Some(position), None, rows, with_file).map(Some);
        };
        let changes = || async {
            Changes::between(root, from, *now).await?.ok_or_else(|| {
                self.elsewhere(&format!(
                    "the log of {} does not go back to version {from}, which it has read last",
                    self.name()
                ))
            })
        };
        let merges = |write: &weir_pipeline::Write| write.mode == WriteMode::Merge;
        let merging = self.planned.step.writes.iter().all(merges);
        let found = changes().await?;
        if !found.any() {
            return Ok(None);
        }
        if let (Removed::Fail, Some((version, operation))) = (removed, found.removing(merging)) {
            return Err(self.elsewhere(&format!(
                "version {version} of {} ({operation}) has taken rows away, which would stay in the targets; `removed = \"ignore\"` lets them stay",
                self.name()
            )));
        }
        if let (false, Some((version, operation))) = (merging, found.rewriting()) {
            return Err(self.elsewhere(&format!(
                "version {version} of {} ({operation}) has rewritten files, and does not say which of their rows are new; a step that merges by a key can read them again",
                self.name()
            )));
        }
        let (context, table) = (&self.context, snapshot);
        let again = changes().await?;
        let (rows, with_file) = match merging {
            true => (
                found.latest(context, table, false).await?,
                again.latest(context, table, true).await?,
            ),
            false => (
                found.each(context, table, false).await?,
                again.each(context, table, true).await?,
            ),
        };
        self.found(Some(position), None, rows, with_file).map(Some)
    }

    async fn by_cursor(
        &self,
        column: &str,
        lag: Option<Lag>,
        before: Option<Position>,
    ) -> Result<Option<NewRows>> {
        let cursor = Expr::Column(Column::from_name(column));
        let rows = self.all(false).await?;
        let schema = rows.schema();
        let data_type = match schema.field_with_name(column)?.data_type() {
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        let low = match before {
            None => None,
            Some(Position::Cursor {
                table,
                column: known,
                value,
                version,
            }) if table == self.name() && known == column => {
                if self.is_unchanged(version).await? {
                    return Ok(None);
                }
                Some(parsed(&value, &data_type).ok_or_else(|| {
                    self.elsewhere(&format!("'{column}' of {table} has another type now"))
                })?)
            }
            Some(_) => {
                return Err(self.elsewhere("so far it has not read this table by this cursor"));
            }
        };
        let floor = match (&low, lag) {
            (Some(low), Some(lag)) => Some(lagged(low, lag)?),
            _ => low.clone(),
        };
        let newer = |floor: &ScalarValue| cursor.clone().gt(lit(floor.clone()));
        let mut frame = self.context.read_table(Arc::clone(&rows))?;
        if let Some(floor) = &floor {
            frame = frame.filter(newer(floor).or(cursor.clone().is_null()))?;
        }
        let missing = when(cursor.clone().is_null(), lit(1_i64)).end()?;
        let found = frame
            .aggregate(
                Vec::new(),
                vec![
                    max(cursor.clone()).alias("highest"),
                    count(missing).alias("missing"),
                ],
            )?
            .collect()
            .await?;
        let batch = found
            .first()
            .ok_or_else(|| Error::internal("an aggregate has no row"))?;
        let missing = batch.column(1).as_primitive::<Int64Type>().value(0);
        if missing > 0 {
            return Err(Error::input(format!(
                "step '{}': {missing} rows of {} have no '{column}', so nobody can say whether they are new",
                self.planned.step.name,
                self.name()
            ))
            .with_hint("fill the column, read the table by = \"version\", or read it whole without `incremental`"));
        }
        let highest = arrow::compute::cast(batch.column(0), &data_type)?;
        let highest = ScalarValue::try_from_array(&highest, 0)?;
        // Below the floor nothing is read, and without a lag the floor is what was read last.
        let value = match (low, highest.is_null()) {
            (Some(_), true) => return Ok(None),
            (None, true) => None,
            // Only rows that came late.
            (Some(low), false) if highest < low => Some(low),
            (_, false) => Some(highest),
        };
        let position = match value {
            None => None,
            Some(value) => Some(Position::Cursor {
                table: self.name(),
                column: column.to_owned(),
                value: text_of(&value, &data_type)?,
                version: self.version(),
            }),
        };
        let new = |provider: Arc<dyn TableProvider>| -> Result<Arc<dyn TableProvider>> {
            Ok(match &floor {
                None => provider,
                Some(floor) => self
                    .context
                    .read_table(provider)?
                    .filter(newer(floor))?
                    .into_view(),
            })
        };
        let (rows, with_file) = (new(rows)?, new(self.all(true).await?)?);
        let again = match (lag, &floor) {
            (Some(_), Some(floor)) => Some(newer(floor)),
            _ => None,
        };
        self.found(position, again, rows, with_file).map(Some)
    }

    fn found(
        &self,
        position: Option<Position>,
        again: Option<Expr>,
        rows: Arc<dyn TableProvider>,
        with_file: Arc<dyn TableProvider>,
    ) -> Result<NewRows> {
        let name = &self.incremental.table;
        Ok(NewRows {
            name: name.clone(),
            position,
            again,
            rows: session::read_table(&self.context, name, rows)?,
            with_file: session::read_table(&self.context, name, with_file)?,
            version: self.version(),
        })
    }
}

/// A value as a decision keeps it.
fn text_of(value: &ScalarValue, data_type: &DataType) -> Result<String> {
    let text = arrow::compute::cast(&value.to_array()?, &DataType::Utf8)?;
    let text = text.as_string::<i32>().value(0).to_owned();
    match parsed(&text, data_type) {
        Some(again) if again == *value => Ok(text),
        _ => Err(Error::internal("a cursor's value cannot be written down")),
    }
}

/// The value of a decision's text; none if it is none of the type.
fn parsed(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    let text = ScalarValue::Utf8(Some(text.to_owned())).to_array().ok()?;
    let value = arrow::compute::cast(&text, data_type).ok()?;
    let value = ScalarValue::try_from_array(&value, 0).ok()?;
    (!value.is_null()).then_some(value)
}

/// The value so far below another; the lowest there is, where there is none so low.
fn lagged(value: &ScalarValue, lag: Lag) -> Result<ScalarValue> {
    let unfit = || Error::internal("a lag does not fit its cursor");
    let array = value.to_array()?;
    let number = arrow::compute::cast(&array, &whole(array.data_type()).ok_or_else(unfit)?)?;
    let number = arrow::compute::cast(&number, &DataType::Int64)?;
    let number = number.as_primitive::<Int64Type>().value(0);
    let per = |unit: u128| match lag {
        Lag::Time(lag) => i64::try_from(lag.as_nanos() / unit).unwrap_or(i64::MAX),
        Lag::Number(lag) => i64::try_from(lag).unwrap_or(i64::MAX),
    };
    let lag = match array.data_type() {
        DataType::Date32 => per(86_400_000_000_000),
        DataType::Timestamp(TimeUnit::Second, _) => per(1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => per(1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => per(1_000),
        _ => per(1),
    };
    let low = ScalarValue::Int64(Some(number.saturating_sub(lag))).to_array()?;
    let whole = whole(array.data_type()).ok_or_else(unfit)?;
    let low = arrow::compute::cast(&low, &whole)?;
    // Below what the type can hold, all of it is above.
    let low = match low.is_null(0) {
        true => ScalarValue::min(&whole).ok_or_else(unfit)?.to_array()?,
        false => low,
    };
    let low = arrow::compute::cast(&low, array.data_type())?;
    Ok(ScalarValue::try_from_array(&low, 0)?)
}

/// The whole number that a value of this type is underneath.
fn whole(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Date32 => Some(DataType::Int32),
        DataType::Timestamp(..) => Some(DataType::Int64),
        other if other.is_integer() => Some(other.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let utc = Some("UTC".into());
        for (value, text) in [
            (ScalarValue::Int64(Some(-7)), "-7"),
            (ScalarValue::Utf8(Some("2024 x".into())), "2024 x"),
            (ScalarValue::Date32(Some(19_782)), "2024-02-29"),
            (
                ScalarValue::TimestampMicrosecond(Some(1_709_164_800_000_001), None),
                "2024-02-29T00:00:00.000001",
            ),
            (
                ScalarValue::TimestampMicrosecond(Some(1), utc),
                "1970-01-01T00:00:00.000001Z",
            ),
            (ScalarValue::Decimal128(Some(-1_205), 10, 2), "-12.05"),
        ] {
            let data_type = value.data_type();
            assert_eq!(text_of(&value, &data_type).unwrap(), text);
            assert_eq!(parsed(text, &data_type), Some(value));
        }
        assert_eq!(parsed("x", &DataType::Int64), None);
    }

    #[test]
    fn a_lag_goes_back_and_no_further_than_there_is() {
        let hour = Lag::Time(Duration::from_secs(3_600));
        let days = Lag::Time(Duration::from_secs(3 * 86_400));
        for (value, lag, low) in [
            (
                ScalarValue::TimestampMicrosecond(Some(3_600_000_001), None),
                hour,
                ScalarValue::TimestampMicrosecond(Some(1), None),
            ),
            (
                ScalarValue::TimestampSecond(Some(0), None),
                hour,
                ScalarValue::TimestampSecond(Some(-3_600), None),
            ),
            (
                ScalarValue::Date32(Some(10)),
                days,
                ScalarValue::Date32(Some(7)),
            ),
            (
                ScalarValue::Int32(Some(10)),
                Lag::Number(3),
                ScalarValue::Int32(Some(7)),
            ),
            (
                ScalarValue::UInt16(Some(10)),
                Lag::Number(11),
                ScalarValue::UInt16(Some(0)),
            ),
            (
                ScalarValue::Int64(Some(i64::MIN + 1)),
                Lag::Number(u64::MAX),
                ScalarValue::Int64(Some(i64::MIN)),
            ),
        ] {
            assert_eq!(lagged(&value, lag).unwrap(), low, "{value}");
        }
    }
}
