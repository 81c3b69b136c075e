//! A pipeline in which every kind of target and mode is written, and what must come of it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use weir_pipeline::{LoadOptions, PipelineFile};
use weir_sandbox::{Sandbox, SandboxOptions};

use crate::error::Result;
use crate::lake::Lake;
use crate::plan::{Plan, Planner};
use crate::query;
use crate::run::{Outcome, Replay, RunOptions, run};
use crate::session::Resources;
use crate::store::Stores;

/// One step adds files to two tables, of which one is partitioned by its rows, and merges them into a
/// third, under one decision, and rejects every tenth row; one appends what is new in the second; one replaces
/// a table, by way of what was in it before; one replaces a partition, and a table of a database with it; one
/// replaces the partitions that its rows are in, one merges a query's rows, and one writes
/// tokens in place of values.
const PIPELINE: &str = r#"
weir = 1
name = "proof"

[zone.raw]
[zone.curated]
[zone.vault]

[connections.warehouse]
kind = "sqlite"
path = "WAREHOUSE"

[[step]]
name = "land"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64 not null", digit = "int64", state = "string" } }
[[step.stage]]
check = { range = { digit = { max = 8 } } }
[[step.write]]
table = "raw.visits"
mode = "append"
[[step.write]]
table = "raw.copies"
mode = "append"
partition_by = "digit"
[[step.write]]
table = "raw.merged"
mode = "merge"
key = "id"

[[step]]
name = "digits"
read = { sql = "select id, digit from raw.copies" }
[[step.write]]
table = "curated.digits"
mode = "replace-partition"
overwrite = "dynamic"
partition_by = "digit"

[[step]]
name = "groups"
read = { sql = "select id / 10 as tens, max(id) as last, count(*) as visits from raw.merged group by id / 10" }
[[step.write]]
table = "curated.groups"
mode = "merge"
key = "tens"
order = "last"

[[step]]
name = "seen"
read = { sql = "select id, digit, state from raw.copies", incremental = { by = "version", of = "raw.copies" } }
[[step.write]]
table = "curated.seen"
mode = "append"

[[step]]
name = "masked"
read = { sql = "select id, state from raw.merged" }
[[step.stage]]
mask = { state = { method = "token", vault = "vault.states" } }
[[step.write]]
table = "curated.masked"

[[step]]
name = "states"
[step.read]
as_of = "before-run"
schema = { state = "string", visits = "int64", since = "int64" }
sql = """
select now.state, now.visits, coalesce(before.since, now.first) as since
from (select state, count(*) as visits, min(id) as first from raw.visits group by state) now
left join curated.states before on before.state = now.state
"""
[[step.write]]
table = "curated.states"
mode = "replace"

[[step]]
name = "even"
read = { sql = "select id, state from raw.copies where id % 2 = 0" }
[[step.write]]
table = "curated.halves"
mode = "replace-partition"
partition = { half = "even" }
[[step.write]]
connection = "warehouse"
table = "even"
mode = "replace"
"#;

/// A folder with a pipeline file and its input, and a lake.
pub(super) struct Scene {
    pub(super) dir: PathBuf,
    pub(super) lake: String,
    /// Stores that nothing disturbs.
    pub(super) stores: Stores,
}

impl Scene {
    /// In the folder `dir`, with the lake there or at `lake` in one of `stores`.
    pub(super) fn new(dir: &Path, lake: Option<&str>, stores: &Stores) -> Scene {
        let scene = Scene {
            stores: stores.clone(),
            dir: dir.to_owned(),
            lake: lake.map_or_else(|| dir.join("lake").display().to_string(), str::to_owned),
        };
        std::fs::create_dir_all(dir.join("in")).unwrap();
        let warehouse = dir.join("warehouse.sqlite").display().to_string();
        scene.pipeline(&PIPELINE.replace("WAREHOUSE", &warehouse));
        scene
    }

    /// Writes another pipeline.
    pub(super) fn pipeline(&self, text: &str) {
        std::fs::write(self.dir.join("proof.toml"), text).unwrap();
    }

    /// Writes a file of rows.
    pub(super) fn input(&self, name: &str, ids: Range<u64>) {
        let mut text = String::from("id,digit,state\n");
        for id in ids {
            writeln!(text, "{id},{},{:02}", id % 10, id % 50).unwrap();
        }
        std::fs::write(self.dir.join("in").join(name), text).unwrap();
    }

    /// Runs the pipeline, through `stores`.
    pub(super) async fn run(&self, stores: &Stores) -> Result<Outcome> {
        self.run_file("proof.toml", stores).await
    }

    pub(super) async fn run_file(&self, file: &str, stores: &Stores) -> Result<Outcome> {
        self.run_with(file, stores, RunOptions::default()).await
    }

    /// From now on files have one column more, which the first step's tables get.
    pub(super) fn evolve(&self) {
        let file = self.dir.join("proof.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replacen(
            "state = \"string\" }",
            "state = \"string\", ward = \"int64\" }",
            1,
        );
        let text = text.replacen(
            "[[step.stage]]",
            "schema_change = \"evolve\"\n[[step.stage]]",
            1,
        );
        std::fs::write(file, text).unwrap();
    }

    /// Writes a file of rows with the new column.
    pub(super) fn evolved_input(&self, name: &str, ids: Range<u64>) {
        let mut text = String::from("id,digit,state,ward\n");
        for id in ids {
            writeln!(text, "{id},{},{:02},{id}", id % 10, id % 50).unwrap();
        }
        std::fs::write(self.dir.join("in").join(name), text).unwrap();
    }

    /// Demands that the rows of `ids` have the new column, and no others.
    pub(super) async fn expect_evolved(&self, ids: Range<i64>, when: &str) {
        for table in [
            "raw.visits",
            "raw.copies",
            "raw.merged",
            "raw.visits__quarantine",
        ] {
            let quarantine = table.ends_with("__quarantine");
            let expected: Vec<i64> = ids
                .clone()
                .filter(|id| (id % 10 == 9) == quarantine)
                .collect();
            let sql = format!("select ward from {table} where ward is not null order by ward");
            assert_eq!(self.numbers(&sql).await, expected, "{table} {when}");
        }
    }

    /// Replays the rows that the first step has rejected, with a check that lets them pass.
    pub(super) async fn replay(&self, stores: &Stores) -> Result<Outcome> {
        let text = std::fs::read_to_string(self.dir.join("proof.toml")).unwrap();
        let mended = text.replace("{ max = 8 }", "{ max = 9 }");
        std::fs::write(self.dir.join("mended.toml"), mended).unwrap();
        let options = RunOptions {
            only: vec!["land".to_owned()],
            replay: Some(Replay::default()),
            ..RunOptions::default()
        };
        self.run_with("mended.toml", stores, options).await
    }

    /// Plans a pipeline, for one task, so that the calls of a run come in the same order each time.
    pub(super) async fn plan(&self, file: &str, stores: &Stores, replay: bool) -> Result<Plan> {
        let pipeline = {
            let options = LoadOptions {
                profile: None,
                env: &|_| None,
            };
            PipelineFile::load(&self.dir.join(file), &options)
                .and_then(|file| file.resolve(&Default::default()))
                .unwrap_or_else(|faults| panic!("{faults}"))
        };
        Planner {
            sandbox: sandbox(),
            components: Default::default(),
            stores: Some(stores.clone()),
            lake: Some(&self.lake),
            full_refresh: false,
            replay,
            aside: None,
            isolate: false,
            resources: Resources::for_partitions(1),
        }
        .plan(pipeline)
        .await
    }

    async fn run_with(&self, file: &str, stores: &Stores, options: RunOptions) -> Result<Outcome> {
        let plan = self.plan(file, stores, options.replay.is_some()).await?;
        let options = RunOptions {
            resources: Resources::for_partitions(1),
            ..options
        };
        run(Arc::new(plan), options, |_| {}).await
    }

    /// Runs the pipeline, which must do.
    pub(super) async fn run_undisturbed(&self) {
        let outcome = self.run(&self.stores).await.unwrap();
        if let Some(error) = outcome.error {
            panic!("an undisturbed run failed: {error}: {:?}", error);
        }
    }

    /// The numbers that a query over the lake gives, in order.
    pub(super) async fn numbers(&self, sql: &str) -> Vec<i64> {
        let lake = Lake::at(&self.lake, &self.stores).await.unwrap();
        let rows = query::sql(&lake, sql, Resources::for_partitions(1)).await;
        let rows: Vec<_> = rows.unwrap().try_collect().await.unwrap();
        rows.iter()
            .flat_map(|batch| {
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect()
    }

    /// Demands that each row of `ids` is once in the tables of the first step, and that none is open.
    pub(super) async fn expect_replayed(&self, ids: Range<i64>, when: &str) {
        let all: Vec<i64> = ids.collect();
        for table in ["raw.visits", "raw.copies", "raw.merged"] {
            let sql = format!("select id from {table} order by id");
            assert_eq!(self.numbers(&sql).await, all, "{table} {when}");
        }
        let sql =
            "select id from raw.visits__quarantine where _weir_state = 'replayed' order by id";
        let rejected: Vec<i64> = all.into_iter().filter(|id| id % 10 == 9).collect();
        assert_eq!(self.numbers(sql).await, rejected, "quarantine {when}");
        let sql = "select id from raw.visits__quarantine where _weir_state <> 'replayed'";
        assert!(self.numbers(sql).await.is_empty(), "quarantine {when}");
    }

    /// Demands that each row of `ids` is once where it belongs, and nothing else is anywhere.
    pub(super) async fn expect(&self, ids: Range<i64>, when: &str) {
        let of = |kept: fn(&i64) -> bool| ids.clone().filter(kept).collect::<Vec<i64>>();
        let accepted = of(|id| id % 10 != 9);
        for table in [
            "raw.visits",
            "raw.copies",
            "raw.merged",
            "curated.digits",
            "curated.seen",
        ] {
            let sql = format!("select id from {table} order by id");
            assert_eq!(self.numbers(&sql).await, accepted, "{table} {when}");
        }
        let sql = "select id from raw.visits__quarantine order by id";
        assert_eq!(
            self.numbers(sql).await,
            of(|id| id % 10 == 9),
            "quarantine {when}"
        );
        let even = of(|id| id % 2 == 0);
        let sql = "select id from curated.halves where half = 'even' order by id";
        assert_eq!(self.numbers(sql).await, even, "curated.halves {when}");
        let sql = "select cast(sum(visits) as bigint) from curated.states";
        let total = i64::try_from(accepted.len()).unwrap();
        assert_eq!(self.numbers(sql).await, [total], "curated.states {when}");
        // A state keeps the number that it was first seen with.
        let sql = "select since from curated.states order by since";
        let mut states = BTreeSet::new();
        let first = accepted.iter().filter(|id| states.insert(*id % 50));
        let first: Vec<i64> = first.copied().collect();
        assert_eq!(self.numbers(sql).await, first, "curated.states {when}");
        // Nine of ten rows are accepted, and every ten rows are a group.
        let sql = "select tens * 100 + visits from curated.groups order by tens";
        let groups: Vec<i64> = (ids.start / 10..ids.end / 10)
            .map(|tens| tens * 100 + 9)
            .collect();
        assert_eq!(self.numbers(sql).await, groups, "curated.groups {when}");
        // Each row has the token of its state, and each state one token.
        let sql = "select id from curated.masked m join vault.states v on m.state = v.token
                   where cast(v.value as bigint) = m.id % 50 order by id";
        assert_eq!(self.numbers(sql).await, accepted, "curated.masked {when}");
        let sql = "select count(*) - count(distinct value) from vault.states";
        assert_eq!(self.numbers(sql).await, [0], "vault.states {when}");
        let warehouse = rusqlite::Connection::open(self.dir.join("warehouse.sqlite")).unwrap();
        let loaded: Vec<i64> = warehouse
            .prepare("select id from even order by id")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(loaded, even, "warehouse {when}");
    }
}

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(SandboxOptions::default()).unwrap())
}
