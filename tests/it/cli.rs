//! The commands, as a user types them.

use serde_json::Value;
use weir_generate::synpuf::{self, Options};
use weir_tests::{Ended, Scene, built, commit_logs};

use crate::visits::{Targets, Visits};

/// A scene with a small landing folder of the synpuf pipeline.
fn with_claims() -> (Scene, String) {
    let scene = Scene::new();
    let landing = scene.path("landing");
    synpuf::generate(&landing, &Options::for_beneficiaries(60)).unwrap();
    let landing = landing.to_str().unwrap().to_owned();
    (scene, landing)
}

fn synpuf(scene: &Scene, command: &[&str], landing: &str, more: &[&str]) -> Ended {
    let pipeline = built::pipeline("synpuf");
    let param = format!("landing={landing}");
    let mut arguments = command.to_vec();
    arguments.extend([pipeline.to_str().unwrap(), "--param", &param]);
    arguments.extend_from_slice(more);
    scene.call(arguments)
}

/// `weir run … 2>&1 | head` must not leave a run that never ends in its record.
#[test]
fn a_run_goes_on_where_nobody_listens() {
    let scene = Scene::new();
    let file = Visits::default().write(&scene);
    scene.file(
        "landing/a.csv",
        "id,born,state,amount\n1,1950-01-01,NO,1.00\n",
    );
    let run = scene.run_command(
        &file,
        &[("landing", scene.path("landing").to_str().unwrap())],
    );
    let words: Vec<String> = std::iter::once(run.get_program())
        .chain(run.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut shell = std::process::Command::new("sh");
    for (name, value) in run.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let script = format!("({}; echo $? > code) 2>&1 | true; sleep 0", words.join(" "));
    let ended = shell
        .args(["-c", &script])
        .current_dir(scene.path(""))
        .status();
    assert!(ended.unwrap().success());
    // The pipe's reader is gone before the run is.
    let code = (0..600).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::read_to_string(scene.path("code"))
            .ok()
            .filter(|code| !code.is_empty())
    });
    assert_eq!(code.as_deref(), Some("0\n"));
    assert_eq!(scene.latest()["status"], "succeeded");
}

#[test]
fn validate_says_that_a_file_is_valid() {
    let (scene, landing) = with_claims();
    let pipeline = built::pipeline("synpuf");
    let ended = scene
        .call(["validate", pipeline.to_str().unwrap()])
        .expect_code(0);
    assert!(
        ended.stdout.is_empty() && ended.stderr.contains("is valid"),
        "{ended:?}"
    );
    synpuf(&scene, &["validate"], &landing, &[]).expect_code(0);
    let schema = scene
        .call(["validate", "--schema", pipeline.to_str().unwrap()])
        .expect_code(0);
    assert!(schema.json()["$defs"]["check"]["properties"]["unique"].is_object());
}

#[test]
fn a_resolved_file_is_a_file_that_resolves_to_itself() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    let visits = Visits {
        partition: Some("{ site = \"${param.site}\" }"),
        stages: "\n[[step.stage]]\ncheck = \"shape\"\n",
        more: "\n[checks.shape]\nnot_null = [\"id\"]\n",
        ..Visits::default()
    };
    visits.write(&scene);
    let resolve = |file: &str| {
        let arguments = [
            "validate",
            "--resolved",
            file,
            "--param",
            "landing=in",
            "--param",
            "site=b",
        ];
        scene.call(arguments).expect_code(0).stdout
    };
    let resolved = resolve("visits.toml");
    assert!(!resolved.contains("${param"), "{resolved}");
    scene.file("resolved.toml", &resolved);
    assert_eq!(resolve("resolved.toml"), resolved);
    scene
        .run(
            &scene.path("resolved.toml"),
            &[("landing", "in"), ("site", "b")],
        )
        .expect_code(0);
    assert_eq!(scene.value("select distinct site from raw.visits"), "b");
}

#[test]
fn plan_shows_steps_schemas_grants_and_targets() {
    let (scene, landing) = with_claims();
    let ended = synpuf(&scene, &["plan"], &landing, &["--lake", "lake"]).expect_code(0);
    for part in [
        "pipeline synpuf: 25 steps into ",
        "cleanse-claims[outpatient]  after ",
        "transform plugin 'synpuf' (",
        "granted 76 columns (desynpuf_id, clm_id, segment, ",
        "64 MiB, 2000 ms a call; rejects → quarantine",
        "check plugin 'claim_checks' (",
        "references(desynpuf_id); failing rows → warn",
        "write  cleansed.outpatient, replace",
        "write  raw.beneficiary, replace-partition where year = 2009",
        "reject cleansed.outpatient__quarantine",
        "write  warehouse:beneficiary_costs, replace",
        "clm_pmt_amt decimal(12,2)",
    ] {
        assert!(
            ended.stdout.contains(part),
            "no {part:?} in\n{}",
            ended.stdout
        );
    }
    assert!(!scene.lake().exists(), "a plan makes nothing");
}

#[test]
fn a_plan_for_programs() {
    let (scene, landing) = with_claims();
    let plan = synpuf(
        &scene,
        &["plan"],
        &landing,
        &["--lake", "lake", "--output", "json"],
    )
    .expect_code(0)
    .json();
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 25);
    let step = |name: &str| {
        let found = steps.iter().find(|step| step["step"] == name);
        found.unwrap_or_else(|| panic!("no step {name}"))
    };
    let cleanse = step("cleanse-beneficiary");
    let grant = &cleanse["grants"][0];
    assert_eq!(grant["plugin"], "synpuf");
    assert_eq!(grant["memory"], 64 << 20);
    let columns = grant["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 32);
    assert!(
        !columns.contains(&Value::from("year")),
        "the year is not granted"
    );
    let written = cleanse["writes"][0]["schema"].as_array().unwrap();
    let typed = |name: &str| {
        let column = written.iter().find(|column| column["name"] == name);
        column.unwrap_or_else(|| panic!("no column {name}"))["type"].clone()
    };
    assert_eq!(typed("year"), "int64");
    assert_eq!(typed("bene_birth_dt"), "date");
    assert_eq!(typed("sp_state_code"), "string");
    assert_eq!(typed("benres_ip"), "decimal(12,2)");
    assert_eq!(cleanse["quarantine"], "cleansed.beneficiary__quarantine");
    let after: Vec<&str> = cleanse["after"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step.as_str().unwrap())
        .collect();
    assert_eq!(
        after,
        [
            "land-beneficiary[2008]",
            "land-beneficiary[2009]",
            "land-beneficiary[2010]"
        ]
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let (scene, landing) = with_claims();
    let dry = || {
        synpuf(&scene, &["run"], &landing, &["--lake", "lake", "--dry-run"])
            .expect_code(0)
            .says(&["cleanse-prescription-drug", "dry run: nothing was changed"])
    };
    dry();
    assert!(!scene.lake().exists());
    assert_eq!(
        std::fs::read_dir(scene.path("tmp")).unwrap().count(),
        0,
        "its own lake is gone"
    );
    synpuf(&scene, &["run"], &landing, &["--lake", "lake"]).expect_code(0);
    let targets = Targets::of(&scene);
    std::fs::remove_dir_all(&landing).unwrap();
    synpuf::generate(landing.as_ref(), &Options::for_beneficiaries(90)).unwrap();
    dry();
    targets.expect_untouched(&scene);
    let runs = scene
        .call(["runs", "--lake", "lake", "--output", "json"])
        .json();
    assert_eq!(runs.as_array().unwrap().len(), 1);
}

#[test]
fn some_steps_and_some_rows() {
    let (scene, landing) = with_claims();
    synpuf(
        &scene,
        &["run"],
        &landing,
        &[
            "--lake",
            "lake",
            "--step",
            "land-beneficiary",
            "--step",
            "land-claims[inpatient,Inpatient_Claims]",
            "--limit",
            "7",
        ],
    )
    .expect_code(0);
    assert_eq!(
        scene.sql_csv("select year, count(*) as n from raw.beneficiary group by 1 order by 1"),
        ["year,n", "2008,7", "2009,7", "2010,7"]
    );
    assert_eq!(scene.count("raw.inpatient"), 7);
    assert_eq!(commit_logs(&scene.lake()).len(), 2);
    synpuf(
        &scene,
        &["run"],
        &landing,
        &["--lake", "lake", "--step", "cleanse"],
    )
    .expect_code(2)
    .says(&[
        "there is no step 'cleanse'",
        "hint: the steps are land-beneficiary[2008], ",
    ]);
    // A step alone reads what the lake has.
    synpuf(
        &scene,
        &["run"],
        &landing,
        &["--lake", "lake", "--step", "cleanse-beneficiary"],
    )
    .expect_code(0);
    assert_eq!(scene.count("cleansed.beneficiary"), 21);
    synpuf(
        &scene,
        &["run"],
        &landing,
        &["--lake", "lake", "--step", "beneficiary-costs"],
    )
    .expect_code(1)
    .says(&[
        "is not in the lake",
        "hint: run the step that writes it first",
    ]);
}

#[test]
fn queries_that_cannot_be_answered() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    for (query, says) in [
        ("select * from raw.visit", "there is no table raw.visit"),
        ("select * from visits", "'visits' is no table of the lake"),
        ("select nothing from raw.visits", "nothing"),
        ("selec", "the SQL cannot be used"),
        ("drop table raw.visits", ""),
        ("insert into raw.visits values (1)", ""),
        ("create table raw.x as select 1", ""),
        ("copy raw.visits to 'x.csv'", ""),
        (
            "create external table x stored as csv location '/etc/passwd'",
            "",
        ),
        ("set datafusion.execution.batch_size = 1", ""),
    ] {
        let ended = scene.call(["sql", query, "--lake", "lake"]).expect_code(2);
        assert!(ended.stdout.is_empty(), "{query}");
        ended.says(&["error: ", says, "hint: "]);
    }
    targets.expect_untouched(&scene);
    scene
        .call(["sql", "select 1 from raw.visits", "--lake", "none"])
        .expect_code(2)
        .says(&["there is no table at all there: check --lake"]);
    assert!(!scene.path("none").exists() && !scene.path("x.csv").exists());
}

#[test]
fn a_query_prints_rows_in_three_ways() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(1..3));
    Visits::default().run(&scene).expect_code(0);
    let sql = |output: &str| {
        let query = "select id, state from raw.visits order by id";
        scene
            .call(["sql", query, "--lake", "lake", "--output", output])
            .expect_code(0)
            .stdout
    };
    assert_eq!(sql("csv"), "id,state\n1,02\n2,03\n");
    assert_eq!(
        sql("json"),
        "{\"id\":1,\"state\":\"02\"}\n{\"id\":2,\"state\":\"03\"}\n"
    );
    assert_eq!(
        sql("text"),
        "+----+-------+\n| id | state |\n+----+-------+\n| 1  | 02    |\n| 2  | 03    |\n+----+-------+\n"
    );
}

#[test]
fn runs_are_listed_and_shown() {
    let scene = Scene::new();
    assert!(
        scene
            .call(["runs", "--lake", "lake"])
            .expect_code(0)
            .stderr
            .contains("no run in")
    );
    scene
        .call(["show", "latest", "--lake", "lake"])
        .expect_code(2)
        .says(&["no run is recorded in '", "hint: check --lake"]);
    scene.file("in/v.csv", Visits::rows(0..3));
    Visits::default().run(&scene).expect_code(0);
    scene.file("in/v.csv", "nothing\n1\n");
    Visits::default().run(&scene).expect_code(1);
    let runs = scene
        .call(["runs", "--lake", "lake", "--output", "json"])
        .expect_code(0)
        .json();
    let status: Vec<&Value> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(status, ["failed", "succeeded"], "newest first");
    let first = runs[1]["run"].as_str().unwrap();
    let last = scene
        .call(["runs", "--lake", "lake", "--last", "1"])
        .expect_code(0)
        .stdout;
    assert!(last.contains("failed") && !last.contains(first), "{last}");
    for name in [first, &first[first.len() - 12..]] {
        let shown = scene
            .call(["show", name, "--lake", "lake"])
            .expect_code(0)
            .stdout;
        assert!(
            shown.contains(first) && shown.contains("raw.visits"),
            "{shown}"
        );
    }
    let shown = scene
        .call(["show", "latest", "--lake", "lake"])
        .expect_code(0)
        .stdout;
    assert!(
        shown.contains("step 'visits' failed: ") && shown.contains("hint: "),
        "{shown}"
    );
    assert_eq!(scene.latest()["run"], runs[0]["run"]);
}

#[test]
fn a_run_for_programs_prints_its_record() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    Visits::default().write(&scene);
    let ended = scene
        .call([
            "run",
            "visits.toml",
            "-p",
            "landing=in",
            "--lake",
            "lake",
            "--output",
            "json",
        ])
        .expect_code(0);
    let record = ended.json();
    assert_eq!(record["status"], "succeeded");
    assert_eq!(record["steps"][0]["targets"][0]["rows"], 3);
    assert_eq!(record, scene.latest());
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_plugin_says_what_it_is_and_wants() {
    let scene = Scene::new();
    let plugin = built::plugin("claim_checks");
    let plugin = plugin.to_str().unwrap();
    let text = scene
        .call(["plugin", "inspect", plugin])
        .expect_code(0)
        .stdout;
    for part in [
        "claim-checks ",
        "world    check (weir:plugin@0.1",
        "date_order",
        "wasi:",
        "\"table\"",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let shown = scene
        .call(["plugin", "inspect", plugin, "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["name"], "claim-checks");
    assert_eq!(shown["world"], "check");
    let rules: Vec<&str> = shown["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        rules,
        [
            "date_order",
            "code_shape",
            "npi_shape",
            "tax_number_shape",
            "amount_range"
        ]
    );
    assert!(shown["config_schema"]["properties"]["table"].is_object());
    scene
        .call(["plugin", "inspect", "none.wasm"])
        .expect_code(2)
        .says(&["cannot read 'none.wasm'", "hint: "]);
}
