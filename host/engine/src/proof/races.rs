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

/// Pipelines that add to one table, which gets a column from all of them and one from each.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipelines_that_add_columns_to_one_table_all_get_theirs() {
    let (dir, scene) = scene(|writer| (format!("w{writer}"), String::new()));
    scene.input("first.csv", 9_000..9_001);
    std::fs::write(
        dir.path().join("first.toml"),
        pipeline("first", "first.csv", "mode = \"append\""),
    )
    .unwrap();
    let outcome = scene.run_file("first.toml", &scene.stores).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    for writer in 0..WRITERS {
        let how = "mode = \"append\"\nschema_change = { new_column = \"evolve\", missing_column = \"evolve\" }";
        let text = pipeline(&format!("w{writer}"), &format!("{writer}.csv"), how);
        let more = format!("state = \"string\", shared = \"int64\", own_{writer} = \"int64\" }}");
        std::fs::write(
            dir.path().join(format!("w{writer}.toml")),
            text.replace("state = \"string\" }", &more),
        )
        .unwrap();
        let mut rows = format!("id,digit,state,shared,own_{writer}\n");
        for id in writer * 100..writer * 100 + 10 {
            rows.push_str(&format!("{id},1,NY,{id},{id}\n"));
        }
        std::fs::write(dir.path().join("in").join(format!("{writer}.csv")), rows).unwrap();
    }
    race(&scene, 8).await;
    let expected: Vec<i64> = (0..16).flat_map(|w| w * 100..w * 100 + 10).collect();
    let sql = "select shared from raw.visits where shared is not null order by id";
    assert_eq!(scene.numbers(sql).await, expected);
    for writer in 0..16 {
        let sql = format!(
            "select own_{writer} from raw.visits where own_{writer} is not null order by 1"
        );
        let own: Vec<i64> = (writer * 100..writer * 100 + 10).collect();
        assert_eq!(scene.numbers(&sql).await, own);
    }
    assert_eq!(
        scene.numbers("select count(*) from raw.visits").await,
        [161]
    );
}

/// Pipelines that give one new column two types: those of one of them are let in, the others stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipelines_that_give_a_column_two_types_do_not_mix_them() {
    let (dir, scene) = scene(|writer| (format!("w{writer}"), String::new()));
    scene.input("first.csv", 9_000..9_001);
    std::fs::write(
        dir.path().join("first.toml"),
        pipeline("first", "first.csv", "mode = \"append\""),
    )
    .unwrap();
    let outcome = scene.run_file("first.toml", &scene.stores).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    for writer in 0..WRITERS {
        let how = "mode = \"append\"\nschema_change = { new_column = \"evolve\" }";
        let text = pipeline(&format!("w{writer}"), &format!("{writer}.csv"), how);
        let kind = ["int64", "date"][writer as usize % 2];
        let more = format!("state = \"string\", level = \"{kind}\" }}");
        std::fs::write(
            dir.path().join(format!("w{writer}.toml")),
            text.replace("state = \"string\" }", &more),
        )
        .unwrap();
        let value = ["7", "2026-01-05"][writer as usize % 2];
        let rows = format!("id,digit,state,level\n{},1,NY,{value}\n", writer * 100);
        std::fs::write(dir.path().join("in").join(format!("{writer}.csv")), rows).unwrap();
    }
    let writers = (0..WRITERS).map(|writer| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move {
            for _ in 0..8 {
                let file = format!("w{writer}.toml");
                let error = match scene.run_file(&file, &scene.stores).await {
                    Ok(outcome) => outcome.error,
                    Err(error) => Some(error),
                };
                match error {
                    None => return true,
                    Some(error) if error.kind() == ErrorKind::Conflict => {}
                    // The next plan says that the column has another type.
                    Some(error) if error.kind() == ErrorKind::Usage => return false,
                    Some(error) => panic!("writer {writer}: {error} ({error:?})"),
                }
            }
            panic!("writer {writer} was never let through, nor stopped");
        })
    });
    let mut through = BTreeSet::new();
    for (writer, done) in (0..).zip(futures::future::join_all(writers).await) {
        if done.unwrap() {
            through.insert(writer);
        }
    }
    let kinds: BTreeSet<i64> = through.iter().map(|writer| writer % 2).collect();
    assert_eq!((kinds.len(), through.len()), (1, 8), "{through:?}");
    let found = scene
        .numbers("select id from raw.visits where level is not null order by id")
        .await;
    let expected: Vec<i64> = through.iter().map(|writer| writer * 100).collect();
    assert_eq!(found, expected);
}
