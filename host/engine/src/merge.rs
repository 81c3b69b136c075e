//! Merging rows into a Delta table by their key, partition by partition.
//!
//! A decision names the files of the incoming rows, by partition. Merging them happens when the decision
//! is applied, against the snapshot that the commit is made on: the files of a partition that have rows
//! with incoming keys are found and, with the incoming rows, written anew, one row a key. So the same
//! decision can be applied to whatever the table has become meanwhile, and never needs a plugin again.
//! Partition columns are part of the key, or come from it, so that no key is in two partitions; memory is
//! bounded by the keys of one partition's incoming rows, all else spills.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::common::{Column, JoinType};
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, SortExpr, cast, lit};
use datafusion::prelude::{DataFrame, ParquetReadOptions};
use datafusion::scalar::ScalarValue;
use deltalake_core::DeltaTable;
use deltalake_core::kernel::{LogicalFileView, Remove};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::commit::Applier;
use crate::data_file::DataFileWriter;
use crate::delta::{DeltaCommit, live_files, provider_of_files};
use crate::error::{Error, ErrorKind, Result};
use crate::files::FILE_COLUMN;
use crate::lake::Location;
use crate::partition::folder;
use crate::segment::{WrittenFile, kept};
use crate::session;

/// How rows are matched: the part of a decision that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merging {
    /// The columns that say which row is meant.
    pub key: Vec<String>,
    /// Of rows with one key the greatest in these columns stays.
    pub order: Vec<String>,
    /// Whether a row that is there stays, whatever comes in.
    pub keep: bool,
}

/// Whether the incoming row `s` of a merge by SQL is not older than `t`: nulls are least, and equal ones are newer.
/// `ordered` gives a column of either as it is to be compared.
pub(crate) fn not_older(order: &[String], ordered: &impl Fn(&str, &str) -> String) -> String {
    let Some((first, rest)) = order.split_first() else {
        return "true".to_owned();
    };
    let (s, t) = (ordered("s", first), ordered("t", first));
    // Of null-safe comparisons each database has its own, or none.
    format!(
        "({s} > {t} or ({s} is not null and {t} is null) or (({s} = {t} or ({s} is null and {t} is null)) and {}))",
        not_older(rest, ordered)
    )
}

/// What a merge makes of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// The files to add: incoming files as they are where nothing is to be matched, else new ones.
    pub(crate) adds: Vec<WrittenFile>,
    /// The files that they replace.
    pub(crate) removes: Vec<Remove>,
}

/// The name of a row's place among those with its key.
const RANK: &str = "__weir_rank";
/// The name of the column that says whether a row came in.
const INCOMING: &str = "__weir_incoming";

/// Merges the files of `commit` into the snapshot of `table`, or into nothing; `schema` is that of the
/// files which the table has then. Columns that a file lacks are null.
pub(crate) async fn merge(
    commit: &DeltaCommit,
    merging: &Merging,
    table: Option<&DeltaTable>,
    schema: &SchemaRef,
    root: &Location,
    applier: &Applier,
) -> Result<Merged> {
    root.register(&applier.runtime);
    let mut merged = Merged::default();
    let live = match table {
        Some(table) => live_files(table).await?,
        None => Vec::new(),
    };
    for (values, files) in by_partition(&commit.files) {
        let context = session::session(&applier.runtime, applier.resources);
        let partition = Partition {
            key: merging
                .key
                .iter()
                .filter(|name| schema.field_with_name(name).is_ok())
                .cloned()
                .collect(),
            merging,
            context: &context,
            schema,
            root,
        };
        let there: Vec<LogicalFileView> = live
            .iter()
            .filter(|file| commit.is_of_partition(&file.partition_values_map(), &values))
            .cloned()
            .collect();
        let incoming = partition.incoming(&files).await?;
        let touched = match table {
            Some(table) if !there.is_empty() => {
                partition.touched(table, there, incoming.clone()).await?
            }
            _ => Vec::new(),
        };
        // Without an order the decision has been made of rows with different keys.
        let several =
            !merging.order.is_empty() && partition.shared_keys(incoming.clone()).await? > 0;
        if touched.is_empty() && !several {
            merged.adds.extend(files);
            continue;
        }
        let rows = partition
            .one_row_a_key(incoming, table.zip(Some(touched.as_slice())))
            .await?;
        let below = commit.folder(&values);
        merged
            .adds
            .extend(partition.write(rows, &below, &values).await?);
        // What is kept is not written anew.
        if !merging.keep {
            let removes = touched.iter().map(|file| file.remove_action(true));
            merged.removes.extend(removes);
        }
    }
    Ok(merged)
}

/// How many rows among `files` share their key with another one.
///
/// # Errors
/// As queries fail.
pub(crate) async fn shared_keys(
    applier: &Applier,
    root: &Location,
    schema: &SchemaRef,
    key: &[String],
    files: &[WrittenFile],
) -> Result<u64> {
    root.register(&applier.runtime);
    let context = session::session(&applier.runtime, applier.resources);
    let merging = Merging {
        key: key.to_vec(),
        order: Vec::new(),
        keep: false,
    };
    let mut shared = 0;
    for (_, files) in by_partition(files) {
        let partition = Partition {
            key: key
                .iter()
                .filter(|name| schema.field_with_name(name).is_ok())
                .cloned()
                .collect(),
            merging: &merging,
            context: &context,
            schema,
            root,
        };
        let incoming = partition.incoming(&files).await?;
        shared += partition.shared_keys(incoming).await?;
    }
    Ok(shared)
}

fn by_partition(files: &[WrittenFile]) -> BTreeMap<Vec<Option<String>>, Vec<WrittenFile>> {
    let mut all: BTreeMap<Vec<Option<String>>, Vec<WrittenFile>> = BTreeMap::new();
    for file in files {
        all.entry(file.partition.clone())
            .or_default()
            .push(file.clone());
    }
    all
}

/// One partition at work.
struct Partition<'a> {
    /// The columns of the key that the files have: others are the same in all rows of the partition.
    key: Vec<String>,
    merging: &'a Merging,
    context: &'a SessionContext,
    schema: &'a SchemaRef,
    root: &'a Location,
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

impl Partition<'_> {
    /// The columns of the files, in the files' types.
    fn columns(&self) -> Vec<Expr> {
        self.schema
            .fields()
            .iter()
            .map(|field| cast(named(field.name()), field.data_type().clone()).alias(field.name()))
            .collect()
    }

    /// The same of rows that may lack some, which a table is about to get.
    fn columns_of(&self, rows: &DataFrame) -> Vec<Expr> {
        let there = rows.schema();
        self.schema
            .fields()
            .iter()
            .map(|field| {
                let name = field.name();
                let value = match there.has_column_with_unqualified_name(name) {
                    true => named(name),
                    false => lit(ScalarValue::Null),
                };
                cast(value, field.data_type().clone()).alias(name)
            })
            .collect()
    }

    fn keys(&self) -> Vec<Expr> {
        self.key.iter().map(|name| named(name)).collect()
    }

    async fn incoming(&self, files: &[WrittenFile]) -> Result<DataFrame> {
        let paths: Vec<String> = files
            .iter()
            .map(|file| self.root.file(&file.path).url().to_string())
            .collect();
        let options = ParquetReadOptions::default().schema(self.schema);
        Ok(self.context.read_parquet(paths, options).await?)
    }

    /// The files that have rows with keys of `incoming`.
    async fn touched(
        &self,
        table: &DeltaTable,
        there: Vec<LogicalFileView>,
        incoming: DataFrame,
    ) -> Result<Vec<LogicalFileView>> {
        // A partition whose columns are the whole key is one row.
        let Some(first) = self.key.first() else {
            return Ok(there);
        };
        let mut rows = self.existing(table, &there).await?;
        // Bounds of the first column let the reader skip files by their statistics.
        let bounds = incoming
            .clone()
            .aggregate(
                Vec::new(),
                vec![
                    min(named(first)).alias("least"),
                    max(named(first)).alias("greatest"),
                ],
            )?
            .collect()
            .await?;
        let bounds = bounds.iter().find(|batch| batch.num_rows() > 0);
        if let Some([least, greatest]) = bounds.map(RecordBatch::columns) {
            let least = ScalarValue::try_from_array(least, 0)?;
            let greatest = ScalarValue::try_from_array(greatest, 0)?;
            let within = named(first)
                .gt_eq(lit(least))
                .and(named(first).lt_eq(lit(greatest)));
            rows = rows.filter(within)?;
        }
        let key: Vec<String> = self
            .key
            .iter()
            .map(|name| format!("__weir_in_{name}"))
            .collect();
        let incoming = incoming
            .select(
                self.key
                    .iter()
                    .zip(&key)
                    .map(|(name, alias)| named(name).alias(alias))
                    .collect::<Vec<_>>(),
            )?
            .distinct()?;
        let (left, right): (Vec<&str>, Vec<&str>) = (
            self.key.iter().map(String::as_str).collect(),
            key.iter().map(String::as_str).collect(),
        );
        let mut columns: Vec<Expr> = self
            .key
            .iter()
            .filter_map(|name| self.schema.field_with_name(name).ok())
            .map(|field| cast(named(field.name()), field.data_type().clone()).alias(field.name()))
            .collect();
        columns.push(cast(named(FILE_COLUMN), DataType::Utf8).alias(FILE_COLUMN));
        let found = rows
            .select(columns)?
            .join(incoming, JoinType::LeftSemi, &left, &right, None)?
            .select(vec![named(FILE_COLUMN)])?
            .distinct()?
            .collect()
            .await?;
        let mut by_name: HashMap<String, LogicalFileView> = HashMap::new();
        for file in there {
            let url = self.root.file(&file.path()).url().to_string();
            by_name.insert(url, file.clone());
            by_name.insert(file.path().into_owned(), file);
        }
        let mut touched = Vec::new();
        for batch in &found {
            let names = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
            let names: &StringArray = names.as_string();
            for name in names.iter().flatten() {
                touched.push(by_name.get(name).cloned().ok_or_else(|| {
                    Error::internal("a row to merge with lies in a file that is not the table's")
                        .with_hint("this is a fault of weir: please report it with the log")
                })?);
            }
        }
        Ok(touched)
    }

    /// The rows of files of the snapshot, each with its file.
    async fn existing(&self, table: &DeltaTable, files: &[LogicalFileView]) -> Result<DataFrame> {
        let paths = files.iter().map(|file| file.path().into_owned()).collect();
        let provider = provider_of_files(table, paths).await?;
        Ok(self.context.read_table(provider)?)
    }

    /// How many rows share their key with another one.
    async fn shared_keys(&self, rows: DataFrame) -> Result<u64> {
        let counted = rows
            .aggregate(self.keys(), vec![count(lit(1_i64)).alias("rows")])?
            .filter(named("rows").gt(lit(1_i64)))?
            .aggregate(Vec::new(), vec![sum(named("rows")).alias("rows")])?
            .collect()
            .await?;
        Ok(counted
            .iter()
            .filter_map(|batch| batch.column(0).as_primitive_opt::<Int64Type>())
            .map(|sums| sums.iter().flatten().sum::<i64>())
            .sum::<i64>()
            .unsigned_abs())
    }

    /// Of each key one row: of those that came in, and of those in the `touched` files of the table.
    async fn one_row_a_key(
        &self,
        incoming: DataFrame,
        touched: Option<(&DeltaTable, &[LogicalFileView])>,
    ) -> Result<DataFrame> {
        let from = |frame: DataFrame, incoming: i32| -> Result<DataFrame> {
            let mut columns = self.columns_of(&frame);
            columns.push(lit(incoming).alias(INCOMING));
            Ok(frame.select(columns)?)
        };
        let mut rows = from(incoming, 1)?;
        if let Some((table, files)) = touched
            && !files.is_empty()
        {
            rows = rows.union(from(self.existing(table, files).await?, 0)?)?;
        }
        let greatest = |name: &str| named(name).sort(false, false);
        let mut order: Vec<SortExpr> = self
            .merging
            .order
            .iter()
            .map(|name| greatest(name))
            .collect();
        match self.merging.keep {
            true => order.insert(0, named(INCOMING).sort(true, false)),
            false => order.push(greatest(INCOMING)),
        }
        // What is equal in all of these is told apart by the other columns, so that the outcome does not
        // hang on the order in which rows were read.
        for field in self.schema.fields() {
            let plain = !field.data_type().is_nested();
            if plain && !self.key.contains(field.name()) {
                order.push(greatest(field.name()));
            }
        }
        let rank = row_number()
            .partition_by(self.keys())
            .order_by(order)
            .build()?
            .alias(RANK);
        let mut first = rows
            .window(vec![rank])?
            .filter(named(RANK).eq(lit(1_u64)))?;
        if self.merging.keep {
            // What is there stays where it is.
            first = first.filter(named(INCOMING).eq(lit(1_i32)))?;
        }
        Ok(first.select(self.columns())?)
    }

    async fn write(
        &self,
        rows: DataFrame,
        below: &str,
        values: &[Option<String>],
    ) -> Result<Vec<WrittenFile>> {
        let mut writer = DataFileWriter::new(self.root, below, self.schema);
        let mut batches = rows.execute_stream().await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = kept(self.schema, batch.columns().to_vec())?;
            writer.write(&batch).await?;
        }
        let files = writer.finish().await?;
        Ok(files
            .into_iter()
            .map(|file| WrittenFile {
                partition: values.to_vec(),
                ..file
            })
            .collect())
    }
}

/// What to say where rows share a key and nothing says which is meant.
pub(crate) fn ambiguous(target: &str, key: &[String], rows: u64) -> Error {
    Error::new(
        ErrorKind::Check,
        format!(
            "{target}: {rows} incoming rows share their key ({}) with another",
            key.join(", ")
        ),
    )
    .with_hint(
        "say which one stays with order = [\"updated_at\"] (the greatest), or keep such rows aside with a `unique` check",
    )
}

impl DeltaCommit {
    /// The folder of files of a partition, below the table's.
    fn folder(&self, values: &[Option<String>]) -> String {
        let scope = self
            .scope
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let by = self.by.iter().map(String::as_str);
        folder(scope.chain(by.zip(values.iter().map(Option::as_deref))))
    }
}
