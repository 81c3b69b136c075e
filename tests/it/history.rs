//! Run records as tables.

use weir_tests::{Ended, Scene};

use crate::visits::Visits;

#[test]
fn run_records_are_tables_that_join() {
    let scene = Scene::new();
    let visits = Visits {
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 7 } } }\n",
        ..Visits::default()
    };
    scene.file("in/1.csv", Visits::rows(0..10));
    visits.run(&scene).expect_code(3);
    scene.file("in/1.csv", "id,born,state,amount\nx,,,\n");
    visits.run(&scene).expect_code(1);

    let runs = scene.sql_csv(
        "select status, pipeline, read, accepted, quarantined, finished_at >= started_at as ended from weir.runs order by started_at",
    );
    assert_eq!(
        runs,
        [
            "status,pipeline,read,accepted,quarantined,ended",
            "warned,visits,10,8,2,true",
            "failed,visits,0,0,0,true",
        ]
    );
    let checks = scene.sql_csv(
        "select s.step, c.rule, c.fate, c.rows, t.target, t.rows as written, t.version \
         from weir.checks c join weir.steps s on s.run = c.run and s.step = c.step \
         join weir.targets t on t.run = c.run and t.step = c.step order by t.target",
    );
    assert_eq!(
        checks,
        [
            "step,rule,fate,rows,target,written,version",
            "visits,range(id),rejected,2,raw.visits,8,0",
            "visits,range(id),rejected,2,raw.visits__quarantine,2,0",
        ]
    );
    let error = scene.value("select error from weir.steps where status = 'failed'");
    assert!(error.contains("1.csv: row 1"), "{error}");
    assert_eq!(scene.count("weir.plugins"), 0);
    // Rows and the run that wrote or rejected them.
    let rejected = scene.value(
        "select count(*) from raw.visits__quarantine q join weir.runs r on r.run = q._weir_run where r.status = 'warned'",
    );
    assert_eq!(rejected, "2");

    let mut command = scene.weir(["sql", "select * from weir.rows", "--lake"]);
    Ended::from(command.arg(scene.lake()).output().unwrap())
        .expect_code(2)
        .says(&[
            "there is no table weir.rows",
            "weir.runs, weir.steps, weir.checks",
        ]);
}

#[test]
fn a_row_is_traced_to_its_run_and_input() {
    let scene = Scene::new();
    scene.file("in/1.csv", Visits::rows(0..10));
    scene.file("in/2.csv", Visits::rows(10..20));
    let visits = Visits {
        mode: "append",
        read: "format = \"csv\", max_files = 1",
        more: "[[step]]\nname = \"copy\"\nread = { table = \"raw.visits\" }\nwrite = { table = \"raw.copy\" }\n",
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    let run = scene.latest()["run"].as_str().unwrap().to_owned();
    let trace = |table: &str, key: &str| {
        let lake = scene.lake().display().to_string();
        scene.call(["trace", table, "--key", key, "--lake", &lake])
    };
    let found = trace("raw.visits", "id=12").expect_code(0).stdout;
    assert!(
        found.starts_with(&format!("1 rows, written by run {run}")),
        "{found}"
    );
    assert!(
        found.contains("/in/2.csv") && !found.contains("/in/1.csv"),
        "{found}"
    );
    let found = trace("raw.copy", "id=12").expect_code(0).stdout;
    assert!(found.contains("raw.visits, version 1"), "{found}");
    trace("raw.visits", "id=99")
        .expect_code(2)
        .says(&["has no such row"]);
    trace("raw.visits", "nr=9")
        .expect_code(2)
        .says(&["no column 'nr'", "its columns are"]);
    trace("raw.nothing", "id=9")
        .expect_code(2)
        .says(&["there is no table raw.nothing"]);
}
