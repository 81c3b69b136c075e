//! A step that has a database run SQL: what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use sha2::{Digest, Sha256};
use weir_pipeline::{
    ConnectionKind, DatabaseSql, DatabaseWork, Fault, Pipeline, ServerKind, Step, TableName, Target,
};

use super::{PlannedStep, hex, sequence};
use crate::database::Dialect;
use crate::database::script::statements;
use crate::error::{Error, Result};
use crate::server;
use crate::sql_commit::{SqlWork, View};

/// SQL that a database runs, ready to be decided.
pub struct PlannedSql {
    /// The connection's name.
    pub connection: String,
    /// How people call it.
    pub target: String,
    /// What is to be done.
    pub work: SqlWork,
    /// Makes the target's commits this step's and these parameters'.
    pub app_id: String,
}

/// Plans the step; none if it moves rows.
///
/// # Errors
/// Usage, with the place in the file, for SQL that cannot be read, that names what is no parameter, or that
/// would end the transaction it runs in.
pub(super) fn plan(
    pipeline: &Pipeline,
    step: &Step,
    depends_on: &BTreeSet<usize>,
    params_hash: &str,
) -> Result<Option<PlannedStep>> {
    let Some(sql) = &step.run else {
        return Ok(None);
    };
    let work = work(pipeline, sql)?;
    let target = match &work {
        SqlWork::Script { .. } => format!("{}:(sql)", sql.connection),
        SqlWork::View(view) => format!("{}:{}", sql.connection, view.view),
    };
    let app_id = format!(
        "weir/{}/{}/{target}/{}",
        pipeline.name,
        step.name,
        sequence(step, params_hash)
    );
    let digest = Sha256::digest(format!("{target} {work:?}").as_bytes());
    Ok(Some(PlannedStep {
        step: step.clone(),
        depends_on: depends_on.clone(),
        tables: BTreeSet::new(),
        files: None,
        reader: None,
        own: None,
        input: Arc::new(Schema::empty()),
        segments: Vec::new(),
        writes: Vec::new(),
        quarantine: None,
        sql: Some(PlannedSql {
            connection: sql.connection.clone(),
            target,
            work,
            app_id,
        }),
        fingerprint: hex(&digest, 64),
    }))
}

fn work(pipeline: &Pipeline, sql: &DatabaseSql) -> Result<SqlWork> {
    let fault =
        |what: String, hint: String| -> Error { Fault::new(what).at(&sql.place).hint(hint).into() };
    let connection = pipeline
        .connections
        .get(&sql.connection)
        .ok_or_else(|| Error::internal("a connection is not there"))?;
    let words = match &connection.kind {
        ConnectionKind::Sqlite { .. } => Dialect::Sqlite,
        ConnectionKind::Server(ServerKind::Postgres, _) => Dialect::Postgres,
        ConnectionKind::Server(ServerKind::Mysql, _) => Dialect::Mysql,
        ConnectionKind::Server(ServerKind::Redshift, _) | ConnectionKind::Redshift(_) => {
            Dialect::Redshift
        }
        ConnectionKind::Server(ServerKind::Adbc, _) | ConnectionKind::Adbc(_) => {
            return Err(fault(
                format!(
                    "connection '{}' is an ADBC driver, through which no SQL is run",
                    sql.connection
                ),
                "run it in a database of kind postgres, mysql, redshift or sqlite".to_owned(),
            ));
        }
        ConnectionKind::Dynamodb(_) => return Err(Error::internal("DynamoDB runs no SQL")),
    };
    let given = |text: &str| {
        statements(words, text, &pipeline.params).map_err(|wrong| fault(wrong.what, wrong.hint))
    };
    match &sql.work {
        DatabaseWork::Script(text) => {
            let statements = given(text)?;
            if statements.is_empty() {
                return Err(fault(
                    "the SQL says nothing".to_owned(),
                    "write a statement, or leave the step out".to_owned(),
                ));
            }
            Ok(SqlWork::Script { statements })
        }
        DatabaseWork::View {
            name,
            query,
            materialized,
            grants,
        } => {
            let [query] = <[String; 1]>::try_from(given(query)?).map_err(|statements| {
                fault(
                    format!(
                        "a view is one query, and these are {} statements",
                        statements.len()
                    ),
                    "write one `select`; what else is to be done is a step with `run`".to_owned(),
                )
            })?;
            let only = |key: &str, whose: &str, hint: &str| {
                fault(format!("`{key}` belongs to {whose}"), hint.to_owned())
            };
            if words != Dialect::Postgres && *materialized {
                return Err(only(
                    "materialized",
                    "PostgreSQL",
                    "leave it out; rows that are kept are a table, which a step writes",
                ));
            }
            if !matches!(words, Dialect::Postgres | Dialect::Redshift) && !grants.is_empty() {
                return Err(only(
                    "grants",
                    "PostgreSQL and Redshift",
                    "leave it out, and grant what readers need at the server",
                ));
            }
            let view = match words {
                Dialect::Postgres => server::path(ServerKind::Postgres, name),
                Dialect::Mysql => server::path(ServerKind::Mysql, name),
                Dialect::Redshift => server::path(ServerKind::Redshift, name),
                Dialect::Sqlite if name.contains('.') => Err(Error::usage(format!(
                    "a SQLite file has no schemas, as '{name}' names one"
                ))
                .with_hint("write the view's name alone")),
                Dialect::Sqlite => Ok(server::TablePath {
                    schema: None,
                    table: name.clone(),
                }),
            };
            Ok(SqlWork::View(View {
                view: view.map_err(|error| super::at(error, &sql.place))?,
                query,
                materialized: *materialized,
                grants: grants.clone(),
            }))
        }
    }
}

/// For each step the steps that it comes after for the sake of SQL that databases run: such a step comes after
/// all those above it that use its connection, and before all those below.
pub(super) fn barriers(
    steps: &[Step],
    reads: &[BTreeSet<TableName>],
) -> BTreeMap<usize, BTreeSet<usize>> {
    let uses = |index: usize, connection: &str| -> bool {
        let Some((step, tables)) = steps.get(index).zip(reads.get(index)) else {
            return false;
        };
        let runs = step.run.as_ref().map(|sql| sql.connection.as_str());
        let writes = step.writes.iter().any(|write| match &write.target {
            Target::Table(_) => false,
            Target::Database { connection: to, .. } => to == connection,
        });
        runs == Some(connection) || writes || tables.iter().any(|name| name.zone == connection)
    };
    let mut after: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(sql) = &step.run else {
            continue;
        };
        for other in (0..steps.len()).filter(|other| uses(*other, &sql.connection)) {
            match other.cmp(&index) {
                std::cmp::Ordering::Less => after.entry(index).or_default().insert(other),
                std::cmp::Ordering::Equal => false,
                std::cmp::Ordering::Greater => after.entry(other).or_default().insert(index),
            };
        }
    }
    after
}
