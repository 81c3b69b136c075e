//! A session with Redshift: PostgreSQL's protocol, in its simple form, with every value in the statement.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::table::{There, literal};
use crate::connections::Connections;
use crate::error::{Error, Result};
use crate::postgres;
use crate::server::{Failure, TablePath};

/// The port where Redshift listens unless it was told another.
const PORT: u16 = 5439;
/// What Redshift says of a transaction that another has overtaken.
const OVERTAKEN: &str = "serializable isolation violation";

/// A session.
pub(super) struct Session(Client);

impl Session {
    /// Opens one.
    ///
    /// # Errors
    /// Usage, for what the pipeline file says; storage, if the server cannot be reached; input, if it does not
    /// let the user in.
    pub(super) async fn open(connections: &Connections, connection: &str) -> Result<Session> {
        let named = connections.get(connection)?;
        let mut settings = "set timezone to 'UTC'".to_owned();
        if let Some(timeout) = named.server.statement_timeout {
            settings.push_str(&format!(
                "; set statement_timeout to {}",
                timeout.as_millis()
            ));
        }
        Ok(Session(postgres::open(&named, PORT, &settings).await?))
    }

    /// Runs statements that give no rows.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failure> {
        self.0.batch_execute(sql).await.map_err(told)
    }

    /// The rows of a query, as texts.
    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let messages = self.0.simple_query(sql).await.map_err(told)?;
        let mut rows = Vec::new();
        for message in messages {
            let SimpleQueryMessage::Row(row) = message else {
                continue;
            };
            let mut values = Vec::with_capacity(row.len());
            for index in 0..row.len() {
                values.push(row.try_get(index).map_err(told)?.map(str::to_owned));
            }
            rows.push(values);
        }
        Ok(rows)
    }

    /// The table with its schema.
    pub(super) async fn placed(&self, path: &TablePath) -> Result<TablePath, Failure> {
        if path.schema.is_some() {
            return Ok(path.clone());
        }
        let rows = self.rows("select current_schema()").await?;
        let schema = rows.into_iter().flatten().next().flatten();
        let Some(schema) = schema else {
            return Err(Failure::Refused(
                "the connection has no schema where it looks first".to_owned(),
                "name the table with its schema, or set the user's search_path",
            ));
        };
        Ok(TablePath {
            schema: Some(schema),
            table: path.table.clone(),
        })
    }

    /// The columns of a table that has its schema, in order; none if there is no table.
    pub(super) async fn columns(&self, path: &TablePath) -> Result<Vec<There>, Failure> {
        let schema = literal(path.schema.as_deref().unwrap_or_default());
        let rows = self
            .rows(&format!(
                "select column_name, data_type, numeric_precision, numeric_scale, is_nullable, column_default from svv_columns where lower(table_schema) = lower({schema}) and lower(table_name) = lower({}) order by ordinal_position",
                literal(&path.table)
            ))
            .await?;
        let mut columns = Vec::with_capacity(rows.len());
        for row in rows {
            let mut values = row.into_iter();
            let (name, data_type) = (values.next().flatten(), values.next().flatten());
            let (Some(name), Some(data_type)) = (name, data_type) else {
                return Err(Error::internal("a column has no name or no type").into());
            };
            let mut number = || values.next().flatten().and_then(|text| text.parse().ok());
            let digits = number().zip(number());
            let (nullable, default) = (values.next().flatten(), values.next().flatten());
            columns.push(There {
                name,
                data_type,
                digits,
                nullable: nullable.is_none_or(|word| !word.eq_ignore_ascii_case("no")),
                filled: default.is_some(),
            });
        }
        Ok(columns)
    }
}

/// What a failure means: like PostgreSQL's, but that transactions which overtake each other are told in words.
fn told(error: tokio_postgres::Error) -> Failure {
    let overtaken = error
        .as_db_error()
        .is_some_and(|server| server.message().to_lowercase().contains(OVERTAKEN));
    if overtaken {
        return Failure::Passing(
            Error::storage("another transaction has overtaken this one", error)
                .with_hint("run the same command again"),
        );
    }
    Failure::from(error)
}
