//! Partitions of PostgreSQL's tables: those that rows need are made before they are loaded.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use chrono::{Datelike, Months, NaiveDate};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::table::{LONGEST_NAME, by, literal, quoted_path};
use crate::error::{Error, Result};
use crate::plan::hex;
use crate::server::{Failure, Level, ServerCommit, Span, TablePath};
use crate::store::Stores;

/// Rows that need more partitions than this are partitioned by mistake.
const MOST: usize = 1_000;

/// Which partition of a level a row is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The rows without a value.
    Null,
    /// The rows with a value, as the server reads it.
    Value(String),
    /// The rows of a time that begins with this day.
    From(NaiveDate),
}

/// The partitions that a commit's rows need, each as its keys from the outside in.
///
/// # Errors
/// Refused, for more than a thousand; other, as the staged rows cannot be read.
pub(super) async fn needed(
    commit: &ServerCommit,
    stores: &Stores,
) -> Result<BTreeSet<Vec<Key>>, Failure> {
    let levels = &commit.options.partition_by;
    let mut needed = BTreeSet::new();
    let scope = |level: &Level| {
        let mut scope = commit.scope.iter();
        scope.find(|(name, _)| *name == level.column)
    };
    let from_rows = levels.iter().filter(|level| scope(level).is_none());
    let columns: Vec<String> = from_rows.map(|level| level.column.clone()).collect();
    if columns.is_empty() && !commit.files.is_empty() {
        // All rows are in the partition of the scope.
        let scoped = levels
            .iter()
            .filter_map(|level| Some((level, scope(level)?)));
        let keys = scoped.map(|(level, (_, value))| of_scope(level, value));
        needed.insert(keys.collect::<Result<_>>()?);
        return Ok(needed);
    }
    let mut rows = commit.rows_of(stores, Some(columns))?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let mut keys = Vec::with_capacity(levels.len());
        for level in levels {
            keys.push(match scope(level) {
                Some((_, value)) => vec![of_scope(level, value)?; batch.num_rows()],
                None => of_rows(level, &batch)?,
            });
        }
        for row in 0..batch.num_rows() {
            let key = keys.iter().filter_map(|level| level.get(row).cloned());
            needed.insert(key.collect());
        }
        if needed.len() > MOST {
            return Err(Failure::Refused(
                format!("the rows need more than {MOST} partitions"),
                "partition by fewer values, or by longer times: year(…) or month(…)",
            ));
        }
    }
    Ok(needed)
}

fn of_scope(level: &Level, value: &str) -> Result<Key> {
    let Some(span) = level.span else {
        return Ok(Key::Value(value.to_owned()));
    };
    let day = value
        .parse()
        .map_err(|_| Error::internal("the value of a partition is no date"))?;
    Ok(Key::From(begin(span, day)))
}

fn of_rows(level: &Level, batch: &RecordBatch) -> Result<Vec<Key>> {
    let column = batch
        .column_by_name(&level.column)
        .ok_or_else(|| Error::internal("a partition column was not staged"))?;
    let rows = 0..batch.num_rows();
    Ok(match level.span {
        None => {
            let texts = cast(column, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            rows.map(|row| match texts.is_null(row) {
                true => Key::Null,
                false => Key::Value(texts.value(row).to_owned()),
            })
            .collect()
        }
        Some(span) => {
            let days = cast(column, &DataType::Date32)?;
            let days = days.as_primitive::<Date32Type>();
            rows.map(|row| match days.is_null(row) {
                true => Key::Null,
                // Days that no calendar has are none of a partition.
                false => Date32Type::to_naive_date_opt(days.value(row))
                    .map_or(Key::Null, |day| Key::From(begin(span, day))),
            })
            .collect()
        }
    })
}

/// The first day of the time that a day is in.
fn begin(span: Span, day: NaiveDate) -> NaiveDate {
    let first = match span {
        Span::Day => return day,
        Span::Month => day.with_day(1),
        Span::Year => day.with_day(1).and_then(|day| day.with_month(1)),
    };
    first.unwrap_or(day)
}

/// The day after the time that begins so.
fn end(span: Span, begin: NaiveDate) -> Option<NaiveDate> {
    match span {
        Span::Day => begin.succ_opt(),
        Span::Month => begin.checked_add_months(Months::new(1)),
        Span::Year => begin.checked_add_months(Months::new(12)),
    }
}

/// Two loads that make the table or its partitions take turns, until the transaction ends.
pub(super) async fn take_turn(
    transaction: &Transaction<'_>,
    table: &TablePath,
) -> Result<(), Failure> {
    let turn = format!("weir/partitions/{table}");
    transaction
        .execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            &[&turn],
        )
        .await?;
    Ok(())
}

/// Makes the partitions that are missing.
///
/// A table is made by itself and attached then: others may go on to read and load the rest. Where a partition
/// by another name has the rows already, it keeps them.
pub(super) async fn make(
    transaction: &Transaction<'_>,
    table: &TablePath,
    levels: &[Level],
    needed: &BTreeSet<Vec<Key>>,
) -> Result<(), Failure> {
    // For each partition that was asked for its name, unless another one has its rows.
    let mut known: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    for keys in needed {
        let mut parent = table.clone();
        for (index, (level, key)) in levels.iter().zip(keys).enumerate() {
            let of = (parent.table.clone(), format!("{key:?}"));
            let found = match known.get(&of) {
                Some(found) => found.clone(),
                None => {
                    let inner = levels.get(index + 1);
                    let made = attach(transaction, &parent, (level, key), inner).await?;
                    known.insert(of, made.clone());
                    made
                }
            };
            let Some(child) = found else {
                break;
            };
            parent = TablePath {
                schema: table.schema.clone(),
                table: child,
            };
        }
    }
    Ok(())
}

/// Makes one partition, unless it is there; gives its name, or none if another one has its rows.
async fn attach(
    transaction: &Transaction<'_>,
    parent: &TablePath,
    (level, key): (&Level, &Key),
    inner: Option<&Level>,
) -> Result<Option<String>, Failure> {
    let plain = name(&parent.table, level, key);
    let mut child = TablePath {
        schema: parent.schema.clone(),
        table: plain,
    };
    match is_child(transaction, parent, &child).await? {
        Some(true) => return Ok(Some(child.table)),
        None => {}
        // Somebody else's table has the name.
        Some(false) => {
            child.table = digested(&parent.table, &format!("{key:?}"));
            if is_child(transaction, parent, &child).await? == Some(true) {
                return Ok(Some(child.table));
            }
        }
    }
    let made = child.table.clone();
    let (parent, child) = (quoted_path(parent), quoted_path(&child));
    let partitioned = inner.map_or(String::new(), by);
    transaction
        .batch_execute(&format!(
            "savepoint weir_partition; create table {child} (like {parent} including all){partitioned}"
        ))
        .await?;
    let attached = transaction
        .batch_execute(&format!(
            "alter table {parent} attach partition {child} {}",
            bound(level, key)
        ))
        .await;
    match attached {
        Err(error) if error.code() == Some(&SqlState::INVALID_OBJECT_DEFINITION) => {
            transaction
                .batch_execute("rollback to savepoint weir_partition")
                .await?;
            Ok(None)
        }
        outcome => {
            outcome?;
            Ok(Some(made))
        }
    }
}

/// Whether a table is a partition of `parent`; none if there is no such table.
async fn is_child(
    transaction: &Transaction<'_>,
    parent: &TablePath,
    child: &TablePath,
) -> Result<Option<bool>, Failure> {
    let row = transaction
        .query_one(
            "select to_regclass($1) is not null,
                    exists (select from pg_inherits
                            where inhrelid = to_regclass($1) and inhparent = to_regclass($2))",
            &[&quoted_path(child), &quoted_path(parent)],
        )
        .await?;
    let (is_there, is_ours): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    Ok(is_there.then_some(is_ours))
}

/// The rows of a partition.
fn bound(level: &Level, key: &Key) -> String {
    match (key, level.span) {
        (Key::Value(value), _) => format!("for values in ({})", literal(value)),
        (Key::From(day), Some(span)) => match end(span, *day) {
            Some(end) => format!("for values from ('{day}') to ('{end}')"),
            None => format!("for values from ('{day}') to (maxvalue)"),
        },
        (Key::Null, None) => "for values in (null)".to_owned(),
        // A range holds no null.
        (Key::Null, Some(_)) | (Key::From(_), None) => "default".to_owned(),
    }
}

/// The name of a partition: that of what it is of, and what its rows have in common.
fn name(parent: &str, level: &Level, key: &Key) -> String {
    let (part, plain) = match (key, level.span) {
        (Key::Null, _) => ("_null".to_owned(), true),
        (Key::From(day), Some(Span::Year)) => (day.format("%Y").to_string(), true),
        (Key::From(day), Some(Span::Month)) => (day.format("%Y%m").to_string(), true),
        (Key::From(day), _) => (day.format("%Y%m%d").to_string(), true),
        (Key::Value(value), _) => {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let is_plain = !value.is_empty() && !value.starts_with('_') && value.chars().all(plain);
            (value.clone(), is_plain)
        }
    };
    let whole = format!("{parent}_{part}");
    if plain && whole.len() <= LONGEST_NAME {
        return whole;
    }
    digested(parent, &part)
}

/// The name of a partition that a plain one does not do for.
fn digested(parent: &str, part: &str) -> String {
    let digest = hex(&Sha256::digest(format!("{parent}\0{part}").as_bytes()), 12);
    let mut cut = parent.to_owned();
    while cut.len() + 1 + digest.len() > LONGEST_NAME {
        cut.pop();
    }
    format!("{cut}_{digest}")
}

/// Whether a table is partitioned, as the server has it.
pub(super) async fn is_partitioned(
    transaction: &Transaction<'_>,
    table: &TablePath,
) -> Result<bool, Failure> {
    let row = transaction
        .query_opt(
            "select relkind = 'p' from pg_class where oid = to_regclass($1)",
            &[&quoted_path(table)],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(span: Option<Span>) -> Level {
        Level {
            column: "c".into(),
            span,
        }
    }

    #[test]
    fn partitions_have_names_that_fit() {
        let day = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();
        let of = |span, key: &Key| name("visits", &level(span), key);
        let time = |span| of(Some(span), &Key::From(begin(span, day)));
        assert_eq!(time(Span::Year), "visits_2024");
        assert_eq!(time(Span::Month), "visits_202412");
        assert_eq!(time(Span::Day), "visits_20241231");
        assert_eq!(of(None, &Key::Value("source_a".into())), "visits_source_a");
        assert_eq!(of(None, &Key::Null), "visits__null");
        let mut names = BTreeSet::new();
        for value in [
            "A",
            "a b",
            "",
            "_null",
            "é",
            &"x".repeat(80),
            &"x".repeat(81),
        ] {
            let name = of(None, &Key::Value(value.into()));
            assert!(
                name.len() <= LONGEST_NAME && name != "visits__null",
                "{name}"
            );
            assert!(names.insert(name));
        }
        let long = "ä".repeat(31);
        let made = name(&long, &level(None), &Key::Value("a".into()));
        assert!(made.len() <= LONGEST_NAME, "{made}");
        assert_ne!(made, name(&long, &level(None), &Key::Value("b".into())));
    }

    #[test]
    fn bounds_meet_and_do_not_overlap() {
        let day = NaiveDate::from_ymd_opt(2023, 12, 31).unwrap();
        let of = |span| bound(&level(Some(span)), &Key::From(begin(span, day)));
        assert_eq!(
            of(Span::Day),
            "for values from ('2023-12-31') to ('2024-01-01')"
        );
        assert_eq!(
            of(Span::Month),
            "for values from ('2023-12-01') to ('2024-01-01')"
        );
        assert_eq!(
            of(Span::Year),
            "for values from ('2023-01-01') to ('2024-01-01')"
        );
        assert_eq!(
            bound(&level(None), &Key::Value("O'N".into())),
            "for values in (e'O''N')"
        );
        assert_eq!(bound(&level(None), &Key::Null), "for values in (null)");
        assert_eq!(bound(&level(Some(Span::Day)), &Key::Null), "default");
    }
}
