//! How the columns of rows meet those of the table that is there.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use weir_pipeline::{ColumnChange, SchemaChange, TableChange};

use crate::difference::{DifferenceKind, Outcome, SchemaDifference};
use crate::lake::RUN_COLUMN;
use crate::server::FoundColumn;
use crate::types::type_text;
use crate::widening;

/// The columns on both sides, and what the step's author wants.
pub(super) struct Meeting<'a> {
    /// What becomes of differences.
    pub(super) change: &'a SchemaChange,
    /// Whether the table takes the columns of the rows, whatever it had.
    pub(super) replaces: bool,
    /// The columns of the rows in the types in which they would be kept, without those that rows are
    /// partitioned by.
    pub(super) rows: &'a Schema,
    /// The columns that rows are partitioned by.
    pub(super) partitions: &'a [Arc<Field>],
    /// The table that is there.
    pub(super) table: Option<&'a Schema>,
    /// Who keeps the table.
    pub(super) keeper: Keeper,
    /// Where a column of the rows comes from.
    pub(super) origin: &'a dyn Fn(&str) -> String,
}

/// Who keeps a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// A lake, whose tables cannot gain every type.
    Lake,
    /// A SQLite file.
    File,
    /// A server.
    Server,
}

/// What becomes of the columns.
#[derive(Debug)]
pub(super) struct Fitted {
    /// For each column of the rows what becomes of it.
    pub(super) columns: Vec<ColumnFate>,
    /// The columns that are written, with those that rows are partitioned by.
    pub(super) written: SchemaRef,
    /// The columns of the table afterwards, in its order.
    pub(super) table_schema: SchemaRef,
    /// What differs.
    pub(super) differences: Vec<SchemaDifference>,
}

/// What becomes of a column of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnFate {
    /// The type as which it is written; none: it is not.
    pub(super) kept: Option<DataType>,
    /// What becomes of values that cannot be kept.
    pub(super) misfits: Misfits,
}

/// What becomes of values that a table cannot keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfits {
    /// There are none.
    None,
    /// Their rows are rejected.
    Rejected,
    /// They are left out.
    Discarded,
}

/// Why the rows cannot go to the table: what is wrong with each column, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reasons: Vec<String>,
    pub(super) hint: Option<String>,
}

impl Meeting<'_> {
    /// Settles what becomes of each column.
    pub(super) fn fit(&self) -> Result<Fitted, Refused> {
        let Some(table) = self.table else {
            return self.create();
        };
        let mut refused = Refused {
            reasons: Vec::new(),
            hint: None,
        };
        let mut differences = Vec::new();
        let mut columns = Vec::with_capacity(self.rows.fields().len());
        let mut added: Vec<Arc<Field>> = Vec::new();
        for field in self.rows.fields() {
            let outcome = match table.field_with_name(field.name()) {
                Ok(there) => self.changed(field, there, table),
                Err(_) => self.new_column(field, table),
            };
            match outcome {
                Ok((fate, difference)) => {
                    if let (Some(kept), Some(SchemaDifference { outcome, .. })) =
                        (&fate.kept, &difference)
                        && *outcome == Outcome::Added
                    {
                        added.push(Arc::new(Field::new(field.name(), kept.clone(), true)));
                    }
                    differences.extend(difference);
                    columns.push(fate);
                }
                Err((reason, hint)) => {
                    refused.reasons.push(reason);
                    refused.hint = refused.hint.or(hint);
                }
            }
        }
        for there in table.fields() {
            let is_there =
                |fields: &[Arc<Field>]| fields.iter().any(|field| field.name() == there.name());
            if is_there(self.rows.fields()) || is_there(self.partitions) {
                continue;
            }
            match self.missing(there) {
                Ok(difference) => differences.push(difference),
                Err(reason) => refused.reasons.push(reason),
            }
        }
        self.partitions_fit(table, &mut refused);
        if !refused.reasons.is_empty() {
            return Err(refused);
        }
        let written = self.of_rows(&columns);
        let table_schema = match self.replaces {
            true => Arc::clone(&written),
            false => {
                let there = table.fields().iter().cloned();
                Arc::new(Schema::new(there.chain(added).collect::<Vec<_>>()))
            }
        };
        Ok(Fitted {
            columns,
            written,
            table_schema,
            differences,
        })
    }

    fn create(&self) -> Result<Fitted, Refused> {
        if self.change.new_table == TableChange::Freeze {
            return Err(Refused {
                reasons: vec!["there is no such table, and `new_table` is \"freeze\"".to_owned()],
                hint: Some(
                    "check where the table is to be, and its name; or write schema_change = { new_table = \"evolve\" } to have it made"
                        .to_owned(),
                ),
            });
        }
        let columns: Vec<ColumnFate> = self.rows.fields().iter().map(plain).collect();
        let written = self.of_rows(&columns);
        Ok(Fitted {
            table_schema: Arc::clone(&written),
            written,
            columns,
            differences: vec![SchemaDifference::new_table()],
        })
    }

    /// The schema of a table that takes the columns of the rows.
    fn of_rows(&self, columns: &[ColumnFate]) -> SchemaRef {
        let kept = self.rows.fields().iter().zip(columns);
        let kept = kept.filter_map(|(field, fate)| {
            let data_type = fate.kept.clone()?;
            Some(Arc::new(Field::new(field.name(), data_type, true)))
        });
        Arc::new(Schema::new(
            kept.chain(self.partitions.iter().cloned())
                .collect::<Vec<_>>(),
        ))
    }

    fn new_column(
        &self,
        field: &Arc<Field>,
        table: &Schema,
    ) -> Result<(ColumnFate, Option<SchemaDifference>), (String, Option<String>)> {
        let name = field.name();
        let text = type_text(field.data_type());
        let told = |outcome| {
            Some(SchemaDifference {
                kind: DifferenceKind::NewColumn,
                column: Some(name.clone()),
                rows: Some(text.clone()),
                table: None,
                outcome,
            })
        };
        if let Some(alike) = table
            .fields()
            .iter()
            .find(|there| there.name().eq_ignore_ascii_case(name))
            && !self.replaces
        {
            return Err((
                format!(
                    "'{name}' is called '{}' in the table, which differs only by case",
                    alike.name()
                ),
                Some("give the column the table's name in a query, or in the plugin".to_owned()),
            ));
        }
        match self.change.new_column {
            ColumnChange::Evolve if self.cannot_gain(table, field.data_type()) => {
                Err(no_naive(name))
            }
            ColumnChange::Evolve => Ok((plain(field), told(Outcome::Added))),
            ColumnChange::Freeze => Err((
                format!("'{name}' ({text}, {}) is new", (self.origin)(name)),
                None,
            )),
            // Weir's own column has no value that a row could be blamed for.
            ColumnChange::Quarantine if name != RUN_COLUMN => Ok((
                ColumnFate {
                    kept: None,
                    misfits: Misfits::Rejected,
                },
                told(Outcome::Rejected),
            )),
            ColumnChange::Quarantine | ColumnChange::Discard => Ok((
                ColumnFate {
                    kept: None,
                    misfits: Misfits::Discarded,
                },
                told(Outcome::Discarded),
            )),
        }
    }

    fn changed(
        &self,
        field: &Arc<Field>,
        there: &Field,
        table: &Schema,
    ) -> Result<(ColumnFate, Option<SchemaDifference>), (String, Option<String>)> {
        let (name, here) = (field.name(), field.data_type());
        let (rows, told_there) = (type_text(here), told_type(there));
        let why = there.metadata().get(WHY);
        let nullable = there.is_nullable();
        let there = there.data_type();
        if here == there {
            return Ok((plain(field), None));
        }
        let told = |outcome| {
            Some(SchemaDifference {
                kind: DifferenceKind::ChangedType,
                column: Some(name.clone()),
                rows: Some(rows.clone()),
                table: Some(told_there.clone()),
                outcome,
            })
        };
        let as_there = |misfits| ColumnFate {
            kept: Some(there.clone()),
            misfits,
        };
        let differs = || {
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            format!(
                "'{name}' is {told_there} in the table and {rows} in the rows ({}){why}",
                (self.origin)(name)
            )
        };
        match self.change.changed_type {
            ColumnChange::Evolve if self.replaces && self.cannot_gain(table, here) => {
                Err(no_naive(name))
            }
            ColumnChange::Evolve if self.replaces => Ok((plain(field), told(Outcome::Retyped))),
            // Nothing is lost whatever the author wants.
            _ if widening::holds(there, here) => {
                Ok((as_there(Misfits::None), told(Outcome::Cast)))
            }
            ColumnChange::Evolve => Err((
                match self.keeper {
                    Keeper::Server => format!("{}, and a load changes no type there", differs()),
                    Keeper::Lake | Keeper::File => format!("{}, and its type cannot change while the table has other rows", differs()),
                },
                Some(match self.keeper {
                    Keeper::Lake | Keeper::File => "files that are there would have to be read anew as the new type: replace the whole table (mode = \"replace\"; `--full-refresh` for a step that appends or merges files), or write another table",
                    Keeper::Server => "cast the column in a query, give it the type at the server (alter table), or drop the table: it is made anew then",
                }.to_owned()),
            )),
            ColumnChange::Freeze => Err((differs(), None)),
            ColumnChange::Quarantine | ColumnChange::Discard
                if !widening::may_fit(here, there) =>
            {
                Err((
                    format!("{}, of which no value can be kept", differs()),
                    Some("cast the column in a query, or write another table".to_owned()),
                ))
            }
            ColumnChange::Quarantine => {
                Ok((as_there(Misfits::Rejected), told(Outcome::Rejected)))
            }
            ColumnChange::Discard if !nullable => Err((
                format!("{}, and may not be null there", differs()),
                Some("reject such rows with changed_type = \"quarantine\"".to_owned()),
            )),
            ColumnChange::Discard => Ok((as_there(Misfits::Discarded), told(Outcome::Discarded))),
        }
    }

    fn cannot_gain(&self, table: &Schema, data_type: &DataType) -> bool {
        self.keeper == Keeper::Lake && gains_naive(table, data_type)
    }

    /// A column that only the table has.
    fn missing(&self, there: &Field) -> Result<SchemaDifference, String> {
        let (name, text) = (there.name(), told_type(there));
        let told = |outcome| SchemaDifference {
            kind: DifferenceKind::MissingColumn,
            column: Some(name.clone()),
            rows: None,
            table: Some(text.clone()),
            outcome,
        };
        match self.change.missing_column {
            TableChange::Freeze => Err(format!("'{name}' ({text} in the table) is missing")),
            TableChange::Evolve if self.replaces => Ok(told(Outcome::Removed)),
            TableChange::Evolve if !there.is_nullable() => Err(format!(
                "'{name}' ({text} in the table) is missing, and may not be null there"
            )),
            TableChange::Evolve => Ok(told(Outcome::Null)),
        }
    }

    /// Partition values stand in the table's log, as texts of its types: they cannot change.
    fn partitions_fit(&self, table: &Schema, refused: &mut Refused) {
        if self.replaces {
            return;
        }
        for field in self.partitions {
            let reason = match table.field_with_name(field.name()) {
                Ok(there) if there.data_type() == field.data_type() => continue,
                Ok(there) => format!(
                    "'{}' is {} in the table and {} in the write, and is a partition column",
                    field.name(),
                    told_type(there),
                    type_text(field.data_type())
                ),
                Err(_) => format!("'{}' is new, and is a partition column", field.name()),
            };
            refused.reasons.push(reason);
        }
    }
}

/// What to say of a timestamp without a zone that a table cannot gain.
fn no_naive(name: &str) -> (String, Option<String>) {
    (
        format!(
            "'{name}' is a timestamp without a zone, and the table was made without one and cannot gain one"
        ),
        Some("write another table, or make the column timestamptz or string".to_owned()),
    )
}

/// Metadata of a field: the type as its table tells it, where it is none of ours.
const TOLD: &str = "weir.told";

/// A column of a table whose types are not ours: `data_type` where that is what it keeps.
pub(super) fn foreign(name: &str, told: &str, data_type: Option<DataType>) -> Field {
    let told = [(TOLD.to_owned(), told.to_owned())];
    Field::new(name, data_type.unwrap_or(DataType::Null), true).with_metadata(told.into())
}

/// Metadata of a field: why its column does not take the rows' values as they are.
const WHY: &str = "weir.why";

/// A column of a server's table, as rows meet it. `here` is what the rows have of that name; `by_value`: values
/// that it does not hold are told apart from those that it does, rather than the load told of the first.
pub(super) fn on_server(column: &FoundColumn, here: Option<&DataType>, by_value: bool) -> Field {
    let natural = column.natural.as_ref();
    let data_type = match (here, &column.misfit) {
        (None, _) => natural,
        (Some(here), None) => {
            let narrower = natural.filter(|natural| {
                !widening::holds(natural, here) && widening::may_fit(here, natural)
            });
            narrower.filter(|_| by_value).or(Some(here))
        }
        // What has the same type and does not fit, fits in no other.
        (Some(here), Some(_)) => natural.filter(|natural| *natural != here),
    };
    let field = foreign(&column.name, &column.told, data_type.cloned());
    let mut metadata = field.metadata().clone();
    metadata.extend(column.misfit.clone().map(|why| (WHY.to_owned(), why)));
    field.with_metadata(metadata).with_nullable(column.nullable)
}

fn told_type(field: &Field) -> String {
    match field.metadata().get(TOLD) {
        Some(told) => told.clone(),
        None => type_text(field.data_type()),
    }
}

fn plain(field: &Arc<Field>) -> ColumnFate {
    ColumnFate {
        kept: Some(field.data_type().clone()),
        misfits: Misfits::None,
    }
}

/// Whether a column of this type is one that a table of `schema` cannot gain: its protocol is written when
/// it is made, and timestamps without a zone need one of their own.
pub(crate) fn gains_naive(schema: &Schema, data_type: &DataType) -> bool {
    has_naive(data_type)
        && !schema
            .fields()
            .iter()
            .any(|field| has_naive(field.data_type()))
}

/// Whether a type is, or has in it, a timestamp without a zone.
fn has_naive(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, None) => true,
        DataType::List(item) => has_naive(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_naive(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: DataType = DataType::Date32;

    fn schema(columns: &[(&str, DataType)]) -> Schema {
        let fields = columns.iter();
        let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    fn change(new_column: ColumnChange, changed_type: ColumnChange) -> SchemaChange {
        SchemaChange {
            new_table: TableChange::Evolve,
            new_column,
            changed_type,
            missing_column: TableChange::Evolve,
            fail_above: None,
            warn_above: None,
        }
    }

    /// What becomes of `rows` on their way to `table`: of each column, and of the table.
    fn fit(
        rows: &[(&str, DataType)],
        table: &[(&str, DataType)],
        change: &SchemaChange,
        replaces: bool,
    ) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
        let (rows, table) = (schema(rows), schema(table));
        let meeting = Meeting {
            change,
            replaces,
            rows: &rows,
            partitions: &[],
            table: Some(&table),
            keeper: Keeper::Lake,
            origin: &|_| "here".to_owned(),
        };
        let fitted = meeting.fit().map_err(|refused| refused.reasons)?;
        let fates = fitted.columns.iter().map(|fate| {
            let kept = fate.kept.as_ref().map_or("-".to_owned(), type_text);
            format!("{kept} {:?}", fate.misfits)
        });
        let after = fitted.table_schema.fields().iter();
        let after = after.map(|field| format!("{} {}", field.name(), type_text(field.data_type())));
        Ok((fates.collect(), after.collect()))
    }

    #[test]
    fn each_kind_in_each_way() {
        use ColumnChange::{Discard, Evolve, Freeze, Quarantine};
        let table = [("a", DataType::Int32), ("old", DATE)];
        let rows = [("a", DataType::Int64), ("new", DataType::Utf8)];
        let fates = |new, changed, replaces| fit(&rows, &table, &change(new, changed), replaces);
        let there = |more: &[&str]| -> Vec<String> {
            let all = ["a int32", "old date"].iter().chain(more);
            all.map(|text| (*text).to_owned()).collect()
        };
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        assert_eq!(
            fates(Evolve, Quarantine, false),
            Ok((
                texts(["int32 Rejected", "string None"]),
                there(&["new string"])
            ))
        );
        assert_eq!(
            fates(Quarantine, Discard, false),
            Ok((texts(["int32 Discarded", "- Rejected"]), there(&[])))
        );
        assert_eq!(
            fates(Discard, Discard, true),
            Ok((
                texts(["int32 Discarded", "- Discarded"]),
                vec!["a int32".to_owned()]
            ))
        );
        assert_eq!(
            fates(Evolve, Evolve, true),
            Ok((
                texts(["int64 None", "string None"]),
                texts(["a int64", "new string"])
            ))
        );
        assert_eq!(
            fates(Freeze, Freeze, false),
            Err(vec![
                "'a' is int32 in the table and int64 in the rows (here)".to_owned(),
                "'new' (string, here) is new".to_owned(),
            ])
        );
        assert_eq!(
            fates(Evolve, Evolve, false).unwrap_err(),
            [
                "'a' is int32 in the table and int64 in the rows (here), and its type cannot change while the table has other rows"
            ]
        );
    }

    #[test]
    fn what_no_table_can_gain() {
        use ColumnChange::{Evolve, Freeze};
        let naive = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        let nested = DataType::new_list(naive.clone(), true);
        let evolving = change(Evolve, Evolve);
        let table = [("a", DataType::Int32)];
        for data_type in [&naive, &nested] {
            for replaces in [false, true] {
                let rows = [("a", DataType::Int32), ("at", data_type.clone())];
                let refused = fit(&rows, &table, &evolving, replaces).unwrap_err();
                assert!(refused[0].contains("cannot gain one"), "{refused:?}");
            }
        }
        let has_one = [("a", DataType::Int32), ("b", naive.clone())];
        let rows = [("a", DataType::Int32), ("b", naive.clone()), ("at", naive)];
        assert!(fit(&rows, &has_one, &evolving, false).is_ok());
        let rows = [("A", DataType::Int32)];
        let refused = fit(&rows, &table, &change(Evolve, Freeze), false).unwrap_err();
        assert_eq!(
            refused,
            ["'A' is called 'a' in the table, which differs only by case"]
        );
    }
}
