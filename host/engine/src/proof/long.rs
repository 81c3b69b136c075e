//! A thousand small batches: tables keep each row once, and memory, logs and planning stay as they were.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::from_env;
use super::scene::Scene;
use crate::run::{RunOptions, run};
use crate::session::Resources;
use crate::store::Stores;

/// One step adds files and rejects every tenth row, one appends what is new, one merges it.
const PIPELINE: &str = r#"
weir = 1
name = "long"
[zone.raw]
[zone.curated]

[[step]]
name = "land"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64 not null", digit = "int64", state = "string" } }
[[step.stage]]
check = { range = { digit = { max = 8 } } }
[[step.write]]
table = "raw.visits"
mode = "append"

[[step]]
name = "new"
read = { table = "raw.visits", incremental = { by = "version" } }
[[step.write]]
table = "curated.visits"
mode = "append"

[[step]]
name = "latest"
read = { sql = "select state, max(id) as last from raw.visits group by state", incremental = { by = "version", of = "raw.visits" } }
[[step.write]]
table = "curated.latest"
mode = "merge"
key = "state"
"#;

/// What one batch took.
struct Taken {
    planning: Duration,
    work: Duration,
    /// KiB of memory afterwards.
    resident: u64,
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse().unwrap()
}

/// The middle one of some batches' figures.
fn median<T: Ord + Copy>(taken: &[Taken], figure: impl Fn(&Taken) -> T) -> T {
    let mut all: Vec<T> = taken.iter().map(figure).collect();
    all.sort();
    all[all.len() / 2]
}

#[tokio::test]
async fn a_long_run_stays_as_it_was() {
    let batches = from_env("WEIR_BATCHES", 40);
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), None, &Stores::default());
    scene.pipeline(PIPELINE);
    let mut all = Vec::with_capacity(batches);
    for batch in 0..batches as u64 {
        scene.input(&format!("{batch:05}.csv"), batch * 10..batch * 10 + 10);
        let began = Instant::now();
        let plan = scene
            .plan("proof.toml", &scene.stores, false)
            .await
            .unwrap();
        let planning = began.elapsed();
        let options = RunOptions {
            resources: Resources::for_partitions(1),
            ..RunOptions::default()
        };
        let began = Instant::now();
        let outcome = run(Arc::new(plan), options, |_| {}).await.unwrap();
        let work = began.elapsed();
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        all.push(Taken {
            planning,
            work,
            resident: resident(),
        });
    }

    let rows = i64::try_from(batches * 10).unwrap();
    let accepted: Vec<i64> = (0..rows).filter(|id| id % 10 != 9).collect();
    for table in ["raw.visits", "curated.visits"] {
        let sql = format!("select id from {table} order by id");
        assert_eq!(scene.numbers(&sql).await, accepted, "{table}");
    }
    let last = "select max(id) from raw.visits group by state order by 1";
    let merged = "select last from curated.latest order by 1";
    assert_eq!(scene.numbers(merged).await, scene.numbers(last).await);

    for table in ["raw/visits", "curated/visits", "curated/latest"] {
        let log = dir.path().join("lake").join(table).join("_delta_log");
        let latest = |ending: &str| {
            let names = std::fs::read_dir(&log).unwrap();
            names
                .filter_map(|entry| {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    name.strip_suffix(ending)?.parse::<u64>().ok()
                })
                .max()
                .unwrap()
        };
        let (version, checkpoint) = (latest(".json"), latest(".checkpoint.parquet"));
        assert!(version + 1 >= batches as u64, "{table}");
        assert!(
            version - checkpoint < 10,
            "{table}: {version}, {checkpoint}"
        );
    }

    // The first batches warm up what stays warm.
    let fifth = batches / 5;
    let (early, late) = (&all[fifth..2 * fifth], &all[batches - fifth..]);
    let of = |taken: &[Taken]| {
        (
            median(taken, |taken| taken.planning),
            median(taken, |taken| taken.work),
            median(taken, |taken| taken.resident),
        )
    };
    let ((plan_before, work_before, kib_before), (plan, work, kib)) = (of(early), of(late));
    println!(
        "{batches} batches; medians of the second and the last fifth: planning {plan_before:.1?} and {plan:.1?}, work {work_before:.1?} and {work:.1?}, memory {} and {} MiB",
        kib_before >> 10,
        kib >> 10
    );
    assert!(plan < plan_before * 3, "planning grows");
    assert!(work < work_before * 3, "work grows");
    assert!(kib < kib_before + kib_before / 2, "memory grows");
}
