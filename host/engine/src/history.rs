//! Run records as tables, for `weir sql`: `weir.runs`, `weir.steps`, `weir.checks`, `weir.targets` and
//! `weir.plugins`. One row a run, step, rule, target or plugin; `run` and `step` join them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use serde_json::{Value, json};

use crate::difference::SchemaDifference;
use crate::error::{Error, Result};
use crate::lake::Location;
use crate::record::{RunRecord, StepRecord};

/// The zone in which the tables are; no pipeline has one of this name.
pub const ZONE: &str = "weir";

/// A table, by its name in the zone.
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    rows: fn(&RunRecord) -> Vec<Value>,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Count,
    Seconds,
    Moment,
}

use Kind::{Count, Moment, Seconds, Text};

const TABLES: [Table; 5] = [
    Table {
        name: "runs",
        columns: &[
            ("run", Text),
            ("pipeline", Text),
            ("owner", Text),
            ("status", Text),
            ("started_at", Moment),
            ("finished_at", Moment),
            ("weir", Text),
            ("params", Text),
            ("retry_of", Text),
            ("read", Count),
            ("accepted", Count),
            ("quarantined", Count),
            ("dropped", Count),
            ("cpu_seconds", Seconds),
            ("peak_memory", Count),
        ],
        rows: |run| {
            let sum = |count: fn(&StepRecord) -> u64| run.steps.iter().map(count).sum::<u64>();
            vec![json!({
                "run": run.run,
                "pipeline": run.pipeline,
                "owner": run.owner,
                "status": run.status.to_string(),
                "started_at": run.started_at,
                "finished_at": run.finished_at,
                "weir": run.weir,
                "params": json!(run.params).to_string(),
                "retry_of": run.request.as_ref().and_then(|request| request.retry_of.clone()),
                "read": sum(|step| step.counts.read),
                "accepted": sum(|step| step.counts.accepted),
                "quarantined": sum(|step| step.counts.quarantined),
                "dropped": sum(|step| step.counts.dropped),
                "cpu_seconds": run.usage.map(|usage| usage.cpu_seconds),
                "peak_memory": run.usage.and_then(|usage| usage.peak_memory),
            })]
        },
    },
    Table {
        name: "steps",
        columns: &[
            ("run", Text),
            ("step", Text),
            ("status", Text),
            ("n", Count),
            ("fingerprint", Text),
            ("read", Count),
            ("accepted", Count),
            ("quarantined", Count),
            ("dropped", Count),
            ("files", Count),
            ("bytes_read", Count),
            ("tables", Text),
            ("seconds", Seconds),
            ("error", Text),
            ("hint", Text),
        ],
        rows: |run| {
            let row = |step: &StepRecord| {
                json!({
                    "run": run.run,
                    "step": step.step,
                    "status": step.status.to_string(),
                    "n": step.n,
                    "fingerprint": step.fingerprint,
                    "read": step.counts.read,
                    "accepted": step.counts.accepted,
                    "quarantined": step.counts.quarantined,
                    "dropped": step.counts.dropped,
                    "files": step.files,
                    "bytes_read": step.bytes_read,
                    "tables": json!(step.tables).to_string(),
                    "seconds": step.seconds,
                    "error": step.error,
                    "hint": step.hint,
                })
            };
            run.steps.iter().map(row).collect()
        },
    },
    Table {
        name: "checks",
        columns: &[
            ("run", Text),
            ("step", Text),
            ("stage", Text),
            ("rule", Text),
            ("fate", Text),
            ("rows", Count),
        ],
        rows: |run| {
            let mut rows = Vec::new();
            for step in &run.steps {
                for (fate, counts) in [("rejected", &step.rejected), ("warned", &step.warned)] {
                    rows.extend(counts.iter().map(|count| {
                        json!({
                            "run": run.run,
                            "step": step.step,
                            "stage": count.stage,
                            "rule": count.rule,
                            "fate": fate,
                            "rows": count.rows,
                        })
                    }));
                }
            }
            rows
        },
    },
    Table {
        name: "targets",
        columns: &[
            ("run", Text),
            ("step", Text),
            ("target", Text),
            ("rows", Count),
            ("bytes", Count),
            ("version", Count),
            ("schema_changes", Text),
        ],
        rows: |run| {
            let mut rows = Vec::new();
            for step in &run.steps {
                rows.extend(step.targets.iter().map(|target| {
                    json!({
                        "run": run.run,
                        "step": step.step,
                        "target": target.target,
                        "rows": target.rows,
                        "bytes": target.bytes,
                        "version": target.version,
                        "schema_changes": schema_changes(&target.schema_changes),
                    })
                }));
            }
            rows
        },
    },
    Table {
        name: "plugins",
        columns: &[
            ("run", Text),
            ("step", Text),
            ("stage", Text),
            ("plugin", Text),
            ("digest", Text),
            ("source", Text),
            ("signer", Text),
            ("terms_digest", Text),
            ("guest_ms", Count),
            ("peak_memory", Count),
            ("log_lines_dropped", Count),
        ],
        rows: |run| {
            let mut rows = Vec::new();
            for step in &run.steps {
                rows.extend(step.plugins.iter().map(|plugin| {
                    json!({
                        "run": run.run,
                        "step": step.step,
                        "stage": plugin.stage,
                        "plugin": plugin.plugin,
                        "digest": plugin.digest,
                        "source": plugin.source,
                        "signer": plugin.signer,
                        "terms_digest": plugin.terms_digest,
                        "guest_ms": plugin.guest_ms,
                        "peak_memory": plugin.peak_memory,
                        "log_lines_dropped": plugin.log_lines_dropped,
                    })
                }));
            }
            rows
        },
    },
];

/// All of them as one text; none where nothing differed.
fn schema_changes(differences: &[SchemaDifference]) -> Option<String> {
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

impl Table {
    fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|(name, kind)| {
            let data_type = match kind {
                Text => DataType::Utf8,
                Count => DataType::Int64,
                Seconds => DataType::Float64,
                Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            Field::new(*name, data_type, true)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn batch(&self, records: &[RunRecord]) -> Result<RecordBatch> {
        let rows: Vec<Value> = records.iter().flat_map(self.rows).collect();
        let mut decoder = ReaderBuilder::new(self.schema())
            .with_batch_size(rows.len().max(1))
            .build_decoder()?;
        decoder.serialize(&rows)?;
        let batch = decoder.flush()?;
        Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(self.schema())))
    }
}

/// The names of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// A table of the records under `weir`, as they are now; none if there is no such table.
pub(crate) async fn provider(
    weir: &Location,
    name: &str,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(table) = TABLES.iter().find(|table| table.name == name) else {
        return Ok(None);
    };
    let records = RunRecord::latest(weir, usize::MAX).await?;
    let batch = table.batch(&records)?;
    let provider = MemTable::try_new(table.schema(), vec![vec![batch]]).map_err(Error::from)?;
    Ok(Some(Arc::new(provider)))
}
