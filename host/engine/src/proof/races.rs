//! Writers at once: what comes of them is what some order of them would have given.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::scene::Scene;
use crate::error::ErrorKind;
use crate::store::Stores;

const WRITERS: u64 = 16;

fn pipeline(name: &str, files: &str, write: &str) -> String {
    format!(
        r#"
weir = 1
name = "{name}"
[zone.raw]
[[step]]
name = "land"
read = {{ files = "in/{files}", format = "csv", schema = {{ id = "int64 not null", digit = "int64", state = "string" }} }}
[[step.write]]
table = "raw.visits"
{write}
"#
    )
}

/// Runs one pipeline for each writer at once, each as often as it is told that another was faster.
async fn race(scene: &Arc<Scene>, most: usize) {
    let writers = (0..WRITERS).map(|writer| {
        let scene = Arc::clone(scene);
        tokio::spawn(async move {
            for _ in 0..most {
                let file = format!("w{writer}.toml");
                let error = match scene.run_file(&file, &scene.stores).await {
                    Ok(outcome) => outcome.error,
                    Err(error) => Some(error),
                };
                match error {
                    None => return true,
                    Some(error) if error.kind() == ErrorKind::Conflict => {}
                    Some(error) => panic!("writer {writer}: {error} ({error:?})"),
                }
            }
            false
        })
    });
    for writer in futures::future::join_all(writers).await {
        assert!(writer.unwrap(), "a writer was never let through");
    }
}

fn scene(write: impl Fn(u64) -> (String, String)) -> (tempfile::TempDir, Arc<Scene>) {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), None, &Stores::default());
    for writer in 0..WRITERS {
        scene.input(&format!("{writer}.csv"), writer * 100..writer * 100 + 10);
        let (name, how) = write(writer);
        let text = pipeline(&name, &format!("{writer}.csv"), &how);
        std::fs::write(dir.path().join(format!("w{writer}.toml")), text).unwrap();
    }
    (dir, Arc::new(scene))
}

/// Pipelines that add to one table, which is not there yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipelines_that_append_to_one_table_all_get_their_rows_in_once() {
    let (_dir, scene) = scene(|writer| (format!("w{writer}"), "mode = \"append\"".to_owned()));
    race(&scene, 8).await;
    let expected: Vec<i64> = (0..16).flat_map(|w| w * 100..w * 100 + 10).collect();
    let found = scene.numbers("select id from raw.visits order by id").await;
    assert_eq!(found, expected);
}

/// Pipelines that replace a partition each: as if one had run after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipelines_that_replace_a_partition_each_do_not_touch_the_others() {
    let (_dir, scene) = scene(|writer| {
        let how = format!("mode = \"replace-partition\"\npartition = {{ site = \"s{writer}\" }}");
        (format!("w{writer}"), how)
    });
    race(&scene, 8).await;
    // Once more, when all partitions are there to be replaced.
    race(&scene, 8).await;
    let expected: Vec<i64> = (0..16).flat_map(|w| w * 100..w * 100 + 10).collect();
    let found = scene.numbers("select id from raw.visits order by id").await;
    assert_eq!(found, expected);
}

/// Runs that replace one partition: the rows of one of them are there, all of them, and of no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_those_that_replace_one_partition_the_last_stays() {
    let (_dir, scene) = scene(|_| {
        let how = "mode = \"replace-partition\"\npartition = { site = \"s\" }";
        ("same".to_owned(), how.to_owned())
    });
    race(&scene, 40).await;
    let found = scene.numbers("select id from raw.visits order by id").await;
    let writers: BTreeSet<i64> = found.iter().map(|id| id / 100).collect();
    assert_eq!(writers.len(), 1, "{found:?}");
    assert_eq!(found.len(), 10, "{found:?}");
}
