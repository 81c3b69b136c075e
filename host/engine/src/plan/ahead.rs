//! Tables of databases as the steps planned before leave them. What a server or a file has now says nothing of
//! a table that an earlier step of the run makes, makes anew, or adds columns to.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, SchemaRef};
use weir_pipeline::ServerKind;

use super::targets::{PlannedTarget, PlannedWrite};
use crate::difference::{DifferenceKind, Outcome};
use crate::error::{Error, Result};
use crate::server::{Column, FoundColumn, Incoming};
use crate::types::sqlite_type;

/// The tables that steps planned before write, by connection and name.
#[derive(Debug, Default)]
pub(super) struct Ahead(BTreeMap<(String, String), TableAhead>);

/// A table as the steps planned before leave it.
#[derive(Debug)]
pub(super) struct TableAhead {
    /// Whether one of them makes it: what is there now is nothing to go by.
    pub(super) is_made: bool,
    /// The columns they give it.
    columns: Vec<ColumnAhead>,
    /// Which they are, by their place in the plan.
    by: BTreeSet<usize>,
}

#[derive(Debug)]
struct ColumnAhead {
    column: Column,
    /// The type of the rows for which it is made.
    natural: Option<DataType>,
    nullable: bool,
}

impl Ahead {
    /// The table, if an earlier step of the run changes its columns.
    pub(super) fn table(&self, connection: &str, table: &str) -> Option<&TableAhead> {
        self.0.get(&(connection.to_owned(), table.to_owned()))
    }

    /// The steps, by their place in the plan, that change tables which these writes go to.
    pub(super) fn before(&self, writes: &[PlannedWrite]) -> BTreeSet<usize> {
        let tables = writes.iter().filter_map(|write| match &write.target {
            PlannedTarget::Table { .. } => None,
            PlannedTarget::Sqlite {
                connection, table, ..
            } => self.table(connection, table),
            PlannedTarget::Server {
                connection, table, ..
            } => self.table(connection, &table.to_string()),
        });
        tables.flat_map(|table| &table.by).copied().collect()
    }

    /// Remembers what a planned write of the step `by` makes of its table.
    ///
    /// # Errors
    /// Internal, for a column that SQLite does not have and that passed the plan.
    pub(super) fn planned(&mut self, write: &PlannedWrite, by: usize) -> Result<()> {
        let (connection, table, remakes, columns) = match &write.target {
            PlannedTarget::Table { .. } => return Ok(()),
            PlannedTarget::Sqlite {
                connection,
                table,
                remakes,
                ..
            } => {
                let columns = write.written_schema.fields().iter().map(|field| {
                    let data_type = sqlite_type(field.data_type()).map_err(Error::internal)?;
                    Ok(Column {
                        name: field.name().clone(),
                        data_type,
                    })
                });
                let columns = columns.collect::<Result<Vec<_>>>()?;
                (connection, table.clone(), *remakes, columns)
            }
            PlannedTarget::Server {
                connection,
                table,
                remakes,
                columns,
                ..
            } => (connection, table.to_string(), *remakes, columns.clone()),
        };
        let keys = match &write.target {
            PlannedTarget::Server { options, .. } => options.primary_key.as_slice(),
            PlannedTarget::Table { .. } | PlannedTarget::Sqlite { .. } => &[],
        };
        let columns = columns.into_iter().map(|column| ColumnAhead {
            natural: natural(&write.written_schema, &column.name),
            nullable: !keys.contains(&column.name),
            column,
        });
        let is_new = write
            .differences
            .iter()
            .any(|difference| difference.kind == DifferenceKind::NewTable);
        let is_added = |name: &str| {
            write.differences.iter().any(|difference| {
                difference.outcome == Outcome::Added && difference.column.as_deref() == Some(name)
            })
        };
        let key = (connection.clone(), table);
        if is_new || remakes {
            let table = TableAhead {
                is_made: true,
                columns: columns.collect(),
                by: BTreeSet::from([by]),
            };
            self.0.insert(key, table);
            return Ok(());
        }
        let added: Vec<ColumnAhead> = columns
            .filter(|ahead| is_added(&ahead.column.name))
            .collect();
        if !added.is_empty() {
            let table = self.0.entry(key).or_insert_with(|| TableAhead {
                is_made: false,
                columns: Vec::new(),
                by: BTreeSet::new(),
            });
            table.columns.extend(added);
            table.by.insert(by);
        }
        Ok(())
    }
}

fn natural(schema: &SchemaRef, name: &str) -> Option<DataType> {
    let field = schema.field_with_name(name).ok()?;
    Some(field.data_type().clone())
}

impl TableAhead {
    /// The columns of a SQLite table and their types; `there`: those that it has now.
    pub(super) fn in_file(&self, there: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut columns = match self.is_made {
            true => Vec::new(),
            false => there,
        };
        let given = self.columns.iter().map(|ahead| &ahead.column);
        columns.extend(given.map(|column| (column.name.clone(), column.data_type.clone())));
        columns
    }

    /// The columns of a server's table as rows meet them; `there`: those that it has now.
    pub(super) fn on_server(
        &self,
        kind: ServerKind,
        there: Vec<FoundColumn>,
        incoming: &Incoming<'_>,
    ) -> Vec<FoundColumn> {
        let same = |a: &str, b: &str| match kind {
            ServerKind::Postgres | ServerKind::Adbc => a == b,
            ServerKind::Mysql | ServerKind::Redshift => a.eq_ignore_ascii_case(b),
        };
        let mut columns = match self.is_made {
            true => Vec::new(),
            false => there,
        };
        for ahead in &self.columns {
            let name = ahead.column.name.as_str();
            let here = incoming
                .columns
                .iter()
                .find(|column| same(&column.name, name));
            let misfit = here.filter(|column| column.data_type != ahead.column.data_type);
            let found = FoundColumn {
                name: here.map_or(name, |column| &column.name).to_owned(),
                told: ahead.column.data_type.clone(),
                natural: ahead.natural.clone(),
                misfit: misfit.map(|column| {
                    format!(
                        "an earlier step of this run makes it so, and this one would make it {}",
                        column.data_type
                    )
                }),
                nullable: ahead.nullable,
                filled: false,
            };
            columns.push(found);
        }
        columns
    }
}
