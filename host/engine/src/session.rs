//! DataFusion sessions: one memory pool for a run, one context for a step.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ParamValues, TableReference};
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{DataFrame, SessionConfig};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use weir_pipeline::{ParamValue, TableName};

use crate::error::{Error, Result};
use crate::lake::RUN_COLUMN;

/// What a step may use of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Resources {
    /// Bytes for sorts, joins, aggregates and plugins together.
    pub memory: usize,
    /// Tasks that work on one step's data at once.
    pub partitions: usize,
}

impl Resources {
    /// What `partitions` tasks need: a quarter of a GiB each, for two plugins at work and the rest,
    /// and one GiB at least.
    pub fn for_partitions(partitions: usize) -> Resources {
        Resources {
            memory: (1 << 30).max(partitions.saturating_mul(256 << 20)),
            partitions,
        }
    }
}

impl Default for Resources {
    /// A partition a core, but no more than eight.
    fn default() -> Resources {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Resources::for_partitions(cores.min(8))
    }
}

/// The runtime that all steps of a run share.
pub fn runtime(resources: Resources) -> Result<Arc<RuntimeEnv>> {
    let top = std::num::NonZeroUsize::new(3).ok_or_else(|| Error::internal("three is zero"))?;
    let pool = TrackConsumersPool::new(FairSpillPool::new(resources.memory), top);
    Ok(Arc::new(
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default())
            .build()?,
    ))
}

/// A session with no table in it.
pub fn session(runtime: &Arc<RuntimeEnv>, resources: Resources) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(resources.partitions)
        .with_batch_size(8192)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(true);
    SessionContext::new_with_config_rt(config, Arc::clone(runtime))
}

/// Makes tables known as `zone.table`.
pub fn register(
    context: &SessionContext,
    tables: BTreeMap<TableName, Arc<dyn TableProvider>>,
) -> Result<()> {
    let catalog = context
        .catalog("datafusion")
        .ok_or_else(|| Error::internal("a session has no catalog"))?;
    for (name, provider) in tables {
        // A database's table with a schema has three names.
        let (catalog, schema, table) = match name.table.split_once('.') {
            None => (
                Arc::clone(&catalog),
                name.zone.as_str(),
                name.table.as_str(),
            ),
            Some((schema, table)) => match context.catalog(&name.zone) {
                Some(catalog) => (catalog, schema, table),
                None => {
                    let catalog: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
                    context.register_catalog(&name.zone, Arc::clone(&catalog));
                    (catalog, schema, table)
                }
            },
        };
        let schema: Arc<dyn SchemaProvider> = match catalog.schema(schema) {
            Some(schema) => schema,
            None => {
                let made = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(schema, Arc::clone(&made) as _)?;
                made
            }
        };
        schema.register_table(table.to_owned(), provider)?;
    }
    Ok(())
}

/// A table as queries name it.
pub(crate) fn reference(name: &TableName) -> TableReference {
    match name.table.split_once('.') {
        None => TableReference::partial(name.zone.as_str(), name.table.as_str()),
        Some((schema, table)) => TableReference::full(name.zone.as_str(), schema, table),
    }
}

/// The table that a query names, unless it is one without a zone: what [`reference`] made.
pub(crate) fn table_of(reference: &TableReference) -> Option<TableName> {
    match reference {
        TableReference::Bare { .. } => None,
        TableReference::Partial { schema, table } => Some(TableName {
            zone: schema.to_string(),
            table: table.to_string(),
        }),
        TableReference::Full {
            catalog,
            schema,
            table,
        } => Some(TableName {
            zone: catalog.to_string(),
            table: format!("{schema}.{table}"),
        }),
    }
}

/// Whether steps do not see which run wrote the rows of a table: it is not part of what they read. Of
/// rejected rows it says which run rejected them, and is.
fn hides_run(name: &TableName) -> bool {
    !name.table.ends_with("__quarantine")
}

/// The schema of the table `name` as steps read it.
pub(crate) fn read_schema(name: &TableName, schema: &SchemaRef) -> SchemaRef {
    let hidden = hides_run(name);
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| !(hidden && field.name() == RUN_COLUMN));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// The table `name` as steps read it.
pub(crate) fn read_table(
    context: &SessionContext,
    name: &TableName,
    provider: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let schema = provider.schema();
    if !hides_run(name) || schema.field_with_name(RUN_COLUMN).is_err() {
        return Ok(provider);
    }
    let columns: Vec<Expr> = schema
        .fields()
        .iter()
        .filter(|field| field.name() != RUN_COLUMN)
        .map(|field| Expr::Column(Column::from_name(field.name())))
        .collect();
    Ok(context.read_table(provider)?.select(columns)?.into_view())
}

/// The schema of the table `name` of a session.
pub(crate) async fn schema_of(context: &SessionContext, name: &TableName) -> Result<SchemaRef> {
    Ok(context.table_provider(reference(name)).await?.schema())
}

/// The tables of the lake that a query names, and whether it names `input`.
///
/// # Errors
/// Usage, if it is no query, or names a table without a zone.
pub fn tables_of(context: &SessionContext, sql: &str) -> Result<(Vec<TableName>, bool)> {
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(sql_error)?;
    if let Statement::Statement(statement) = &statement
        && !matches!(
            statement.as_ref(),
            SqlStatement::Query(_) | SqlStatement::Explain { .. }
        )
    {
        return Err(Error::usage("only queries can be run here")
            .with_hint("write select …; tables are changed by a pipeline's steps"));
    }
    let mut tables = Vec::new();
    let mut input = false;
    for reference in state.resolve_table_references(&statement)? {
        match table_of(&reference) {
            Some(name) => tables.push(name),
            None if reference.table() == "input" => input = true,
            None => {
                return Err(
                    Error::usage(format!("'{reference}' is no table of the lake"))
                        .with_hint("tables are written zone.table; a stage's own rows are `input`"),
                );
            }
        }
    }
    tables.sort();
    tables.dedup();
    Ok((tables, input))
}

/// A query that reads and does nothing else, with its `$name` parameters bound.
pub async fn query(
    context: &SessionContext,
    sql: &str,
    params: &BTreeMap<String, ParamValue>,
) -> Result<DataFrame> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = context
        .sql_with_options(sql, options)
        .await
        .map_err(sql_error)?;
    let values = params
        .iter()
        .map(|(name, value)| (name.clone(), ScalarAndMetadata::from(scalar(value))))
        .collect();
    frame
        .with_param_values(ParamValues::Map(values))
        .map_err(sql_error)
}

/// An expression with its `$name` parameters bound; those it names and nobody gave stay.
pub fn with_params(
    expression: Expr,
    params: &BTreeMap<String, ParamValue>,
) -> datafusion::error::Result<Expr> {
    let bound = expression.transform(|node| {
        Ok(match &node {
            Expr::Placeholder(placeholder) => {
                match params.get(placeholder.id.trim_start_matches('$')) {
                    Some(value) => Transformed::yes(lit(scalar(value))),
                    None => Transformed::no(node),
                }
            }
            _ => Transformed::no(node),
        })
    })?;
    Ok(bound.data)
}

/// An expression over rows of `schema`, ready to be evaluated. Functions that exist only as other
/// expressions (`coalesce`) are written out, as the optimizer does for those of queries.
pub(crate) fn expression(
    context: &SessionContext,
    expression: Expr,
    schema: &DFSchema,
) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
    let state = context.state();
    let properties = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplifier = ExprSimplifier::new(properties);
    let expression = simplifier.coerce(expression, schema)?;
    let expression = simplifier.simplify(expression)?;
    state.create_physical_expr(expression, schema)
}

/// What DataFusion says of a query, as the query's author's problem.
pub fn sql_error(error: datafusion::error::DataFusionError) -> Error {
    match Error::from(error) {
        own if own.kind() != crate::ErrorKind::Internal => own,
        other => {
            let mut text = std::error::Error::source(&other)
                .map_or_else(|| other.to_string(), |cause| cause.to_string());
            // The class of the error says nothing to the query's author.
            for class in ["Error during planning: ", "Schema error: ", "SQL error: "] {
                text = text.replace(class, "");
            }
            let line = text.lines().next().unwrap_or_default().to_owned();
            Error::usage(format!("the SQL cannot be used: {line}"))
                .with_hint("mend the query; tables are written zone.table, parameters $name")
        }
    }
}

/// A parameter as a value of a query.
pub fn scalar(value: &ParamValue) -> ScalarValue {
    match value {
        ParamValue::String(text) | ParamValue::Path(text) => ScalarValue::Utf8(Some(text.clone())),
        ParamValue::Int(number) => ScalarValue::Int64(Some(*number)),
        ParamValue::Bool(truth) => ScalarValue::Boolean(Some(*truth)),
        ParamValue::Date(day) => {
            ScalarValue::Date32(Some(arrow::datatypes::Date32Type::from_naive_date(*day)))
        }
    }
}
