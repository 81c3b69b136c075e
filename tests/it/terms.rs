//! What a stage gives a plugin and holds it to: fields, secrets, contracts, kept words, isolation.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use weir_tests::{Ended, Scene};

use crate::visits::Visits;

/// What the guest says that must not be told.
const CANARY: &str = "secret-canary";

/// A pipeline whose one stage has the guest `guest`, with what `stage` says of it besides.
fn with_guest(guest: &str, mode: &str, stage: &str) -> String {
    format!(
        "\n[[step.stage]]\ntransform = \"guest_{guest}\"\nconfig = {{ mode = \"{mode}\" }}\n{stage}\n"
    )
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    scene
}

fn run(scene: &Scene, stages: &str) -> Ended {
    Visits {
        stages,
        ..Visits::default()
    }
    .run(scene)
}

fn plan(scene: &Scene, stages: &str, arguments: &[&str]) -> Ended {
    let visits = Visits {
        stages,
        ..Visits::default()
    };
    let file = visits.write(scene);
    let mut command = scene.weir(["plan", "--param", "landing=in"]);
    command.args(arguments).arg(file);
    command.output().expect("weir starts").into()
}

const ADDS: &str = r#"grant = { columns = ["id"] }
contract = { adds = { raf = "int64 not null" }, rows = "one-to-one", rules = [], text = "guest-log" }"#;

/// The plugin sends back another `id`; what is written is the one that was read.
#[test]
fn a_contract_lets_a_plugin_add_and_change_nothing() {
    let scene = scene();
    run(&scene, &with_guest("transform", "adds_changes", ADDS)).expect_code(0);
    assert_eq!(
        scene.sql_csv("select id, born, raf from raw.visits order by id limit 3"),
        [
            "id,born,raf",
            "0,1930-01-01,0",
            "1,1931-02-02,1",
            "2,1932-03-03,2"
        ]
    );
    let columns = scene.sql_csv("select * except (_weir_run) from raw.visits limit 1");
    assert_eq!(columns[0], "id,born,state,amount,raf");
}

#[test]
fn a_contract_is_checked_before_data_moves() {
    let contract =
        |contract: &str| format!("grant = {{ columns = [\"id\"] }}\ncontract = {contract}");
    let int = r#"{ adds = { raf = "int64 not null" } }"#;
    for (mode, terms, told) in [
        (
            "adds_more",
            contract(int),
            "it gives the column 'spy', which the contract does not have",
        ),
        (
            "adds",
            contract(r#"{ adds = { raf = "decimal(9,4) not null" } }"#),
            "its column 'raf' is Int64 not null, the contract says Decimal128(9, 4) not null",
        ),
        (
            "adds",
            contract(r#"{ adds = { raf = "int64", loss = "int64" } }"#),
            "it does not give the column 'loss'",
        ),
        (
            "adds",
            contract(r#"{ adds = { id = "int64", raf = "int64" } }"#),
            "two columns are called 'id'",
        ),
        (
            "adds",
            contract(r#"{ rules = ["odd", "even"] }"#),
            "declares no rule 'even'",
        ),
        (
            "adds",
            "grant = { columns = [\"id\", \"ssn\"] }".to_owned(),
            "'ssn' matches no column",
        ),
    ] {
        plan(&scene(), &with_guest("transform", mode, &terms), &[])
            .expect_code(2)
            .says(&[told, "hint: ", "visits.toml:"]);
    }
}

#[test]
fn a_broken_contract_fails_the_step_and_changes_no_target() {
    for (mode, contract, told) in [
        (
            "reject",
            "rules = []",
            "raised rule 'odd', which is not on its list",
        ),
        (
            "origin",
            "rows = \"one-to-one\"",
            "out of order; its stage allows `one-to-one`",
        ),
        (
            "origin_out_of_range",
            "rows = \"any\"",
            "emitted a bad batch",
        ),
    ] {
        let scene = scene();
        run(
            &scene,
            &with_guest("transform", "identity", "grant = { columns = [\"*\"] }"),
        )
        .expect_code(0);
        let before = scene.sql_csv("select * except (_weir_run) from raw.visits order by id");
        let stage = format!("grant = {{ columns = [\"*\"] }}\ncontract = {{ {contract} }}");
        run(&scene, &with_guest("transform", mode, &stage))
            .expect_code(1)
            .says(&["plugin 'guest_transform' (", told, "hint: "]);
        assert_eq!(
            scene.sql_csv("select * except (_weir_run) from raw.visits order by id"),
            before
        );
    }
}

/// The page that somebody signs: everything on it, and a digest that the run record repeats and that
/// changes with the terms.
#[test]
fn terms_are_shown_on_a_page_and_recorded() {
    let scene = scene();
    let stages = with_guest("transform", "adds", ADDS);
    let page = plan(&scene, &stages, &["--terms"]).expect_code(0).stdout;
    for line in [
        "TERMS of plugin 'guest_transform' in pipeline 'visits', step 'visits', stage 1",
        "component     sha256 ",
        "is told       {\"mode\":\"adds\"}",
        "is given      id int64\n",
        "not given     born, state, amount\n",
        "powers        none: no file, no network, no environment, no clock, no randomness, no secret",
        "adds          raf int64 not null\n",
        "changes       nothing: all other columns stay as they were\n",
        "rows          one for each row it is given, in order, or a rejection\n",
        "rules         none: it may reject no row\n",
        "its words     kept: ",
        "written to    raw.visits\n",
        "signed for ___",
    ] {
        assert!(page.contains(line), "{line:?} is not on\n{page}");
    }
    let width = page.lines().map(|line| line.chars().count()).max();
    assert!(
        width <= Some(100) && page.lines().count() < 40,
        "one screen:\n{page}"
    );
    let digest = |page: &str| {
        let line = page
            .lines()
            .find(|line| line.starts_with("terms  "))
            .unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    run(&scene, &stages).expect_code(0);
    let latest = scene.latest();
    let record = &latest["steps"][0]["plugins"][0];
    assert_eq!(record["terms_digest"], digest(&page));
    assert_eq!(record["columns"], serde_json::json!(["id"]));
    assert_eq!(record["adds"], serde_json::json!(["raf int64 not null"]));
    assert_eq!(record["text"], "guest-log");
    for (old, new) in [
        ("[\"id\"]", "[\"id\", \"born\"]"),
        ("one-to-one", "any"),
        ("guest-log", "open"),
        ("columns", "clock = true, columns"),
        ("\"adds\"", "\"adds_changes\""),
        ("contract =", "on_fail = \"drop\"\ncontract ="),
    ] {
        let other = plan(&scene, &stages.replace(old, new), &["--terms"]).expect_code(0);
        assert_ne!(digest(&other.stdout), digest(&page), "{old} to {new}");
    }
}

/// What a plugin says whose words are kept is in the guest log of the run, which nobody else can read,
/// and nowhere else: no screen, no record, no table, no log.
#[test]
fn kept_words_are_in_the_guest_log_only() {
    for (mode, code, said) in [
        ("panic", 1, CANARY),
        ("error", 1, "fatal error: why"),
        ("exit", 1, "called exit with status 1"),
        ("log", 0, "line 1\\\\nforged"),
        ("print", 0, "line 99"),
        ("reject", 3, "odd: it is odd"),
    ] {
        let scene = scene();
        let stage = "grant = { columns = [\"*\"] }\ncontract = { text = \"guest-log\" }";
        let log = scene.path("weir.log");
        let visits = Visits {
            stages: &with_guest("transform", mode, stage),
            ..Visits::default()
        };
        let file = visits.write(&scene);
        let mut command = scene.run_command(&file, &[("landing", "in")]);
        let filter = "trace,wasmtime_wasi_io=trace,wasmtime_wasi::p2=trace";
        command.args(["--log", filter, "--log-file"]).arg(&log);
        let words = [
            CANARY,
            "why\\u{7}",
            "status 1",
            "forged",
            "it is odd",
            "line 99",
        ];
        Ended::from(command.output().expect("weir starts"))
            .expect_code(code)
            .hides(&words);
        let latest = scene.latest();
        let logged = std::fs::read_to_string(&log).unwrap();
        for word in words {
            assert!(!latest.to_string().contains(word), "{mode}: {latest}");
            assert!(!logged.contains(word), "{mode}: the log holds {word}");
        }
        if mode == "reject" {
            assert_eq!(
                scene.sql_csv("select distinct _weir_message from raw.visits__quarantine"),
                ["_weir_message", "Rows are even."]
            );
        }
        let logs = |output: &str| -> Ended {
            let mut command = scene.weir(["logs", "latest", "--output", output, "--lake"]);
            command.arg(scene.lake()).output().unwrap().into()
        };
        let lines = logs("json").expect_code(0);
        let found = lines.json_lines().iter().any(|line| {
            line["text"]
                .as_str()
                .unwrap()
                .contains(&said.replace("\\\\", "\\"))
        });
        assert!(found, "{mode}: {}", lines.stdout);
        assert!(
            logs("text")
                .stdout
                .contains("guest_transform (step 'visits' stage 1 (transform))")
        );

        let folder = scene.lake().join("_weir/guest");
        let run = latest["run"].as_str().unwrap();
        let mode_of =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode_of(&folder), 0o700);
        assert_eq!(mode_of(&folder.join(format!("{run}.jsonl"))), 0o600);
    }
}

#[test]
fn fields_of_structs_are_granted_singly() {
    let scene = Scene::new();
    scene.file(
        "in/v.json",
        "{\"id\": 1, \"patient\": {\"name\": \"ada\", \"zip\": \"0150\"}}\n{\"id\": 2, \"patient\": null}\n{\"id\": 3, \"patient\": {\"name\": \"ben\", \"zip\": null}}\n",
    );
    let visits = |stages: &str| {
        let stages = stages.to_owned();
        let scene = &scene;
        move || {
            Visits {
                files: "*.json",
                read: "format = \"json-lines\"",
                schema: r#"{ id = "int64", patient = "struct<name: string, zip: string>" }"#,
                stages: &stages,
                ..Visits::default()
            }
            .write(scene)
        }
    };
    let file = visits(&with_guest(
        "transform",
        "identity",
        "grant = { columns = [\"id\", \"patient.zip\"] }",
    ))();
    scene.run(&file, &[("landing", "in")]).expect_code(0);
    let latest = scene.latest();
    let record = &latest["steps"][0]["plugins"][0];
    assert_eq!(record["columns"], serde_json::json!(["id", "patient.zip"]));
    assert_eq!(record["withheld"], serde_json::json!(["patient.name"]));
    assert_eq!(
        scene.sql_csv("select id, patient['zip'] as zip, patient['name'] as name, patient is null as none from raw.visits order by id"),
        ["id,zip,name,none", "1,0150,ada,false", "2,,,true", "3,,ben,false"]
    );
    // A contract leaves the struct as it was.
    let file = visits(&with_guest(
        "transform",
        "adds",
        "grant = { columns = [\"id\", \"patient.zip\"] }\ncontract = { adds = { raf = \"int64\" } }",
    ))();
    scene.run(&file, &[("landing", "in")]).expect_code(0);
    assert_eq!(
        scene.sql_csv("select id, patient['name'] as name, raf from raw.visits order by id"),
        ["id,name,raf", "1,ada,0", "2,,1", "3,ben,2"]
    );
}

#[test]
fn secrets_come_from_where_the_file_says_and_are_shown_nowhere() {
    const VALUE: &str = "hunter2-the-secret";
    let scene = scene();
    let stage = |grant: &str| {
        with_guest(
            "secret",
            VALUE,
            &format!("grant = {{ columns = [\"*\"], {grant} }}"),
        )
        .replace("mode =", "secret =")
    };
    // Not granted: refused with the import's name, before anything of the plugin runs.
    run(&scene, &stage("memory = \"64MiB\""))
        .expect_code(2)
        .says(&[
            "imports `weir:plugin/secrets@0.1.0`, which it is not granted",
            "hint: grant it the secrets it needs",
        ]);
    run(&scene, &stage("secrets = { pii = { env = \"PII_KEY\" } }"))
        .expect_code(2)
        .says(&["secret 'pii': the variable PII_KEY is not set", "hint: "]);
    run(&scene, &stage("secrets = { pii = { file = \"pii.txt\" } }"))
        .expect_code(2)
        .says(&["secret 'pii': cannot read '"]);

    // The guest compares the secret with the configuration, so there the value is written.
    scene.file("pii.txt", format!("{VALUE}\n"));
    let visits = |stages: &str| {
        let visits = Visits {
            stages,
            ..Visits::default()
        };
        visits.write(&scene)
    };
    for grant in [
        "secrets = { pii = { env = \"PII_KEY\" } }",
        "secrets = { pii = { file = \"pii.txt\" } }",
    ] {
        let file = visits(&stage(grant));
        let mut command = scene.run_command(&file, &[("landing", "in")]);
        command.env("PII_KEY", VALUE);
        Ended::from(command.output().unwrap()).expect_code(0);
        let latest = scene.latest();
        assert_eq!(
            latest["steps"][0]["plugins"][0]["secrets"],
            serde_json::json!(["pii"])
        );
    }

    // A plugin that tells the secret it was granted, already when it is planned.
    let telling = stage("secrets = { pii = { env = \"PII_KEY\" } }")
        .replace(&format!("secret = \"{VALUE}\""), "tell = true");
    let file = visits(&telling);
    let mut command = scene.run_command(&file, &[("landing", "in")]);
    command.env("PII_KEY", VALUE).args(["--log", "trace"]);
    Ended::from(command.output().unwrap())
        .expect_code(2)
        .says(&["config error: what it said is not told before a run"])
        .hides(&[VALUE]);
}

/// The guest gives back the number of the batch it sees.
#[test]
fn isolation_by_batch_forgets() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..20_000));
    for (isolation, most) in [("partition", "3"), ("batch", "1")] {
        let stage = format!("grant = {{ columns = [\"id\"] }}\nisolation = \"{isolation}\"");
        run(&scene, &with_guest("transform", "constant", &stage)).expect_code(0);
        assert_eq!(
            scene.value("select max(n) from raw.visits"),
            most,
            "{isolation}"
        );
        let latest: Value = scene.latest();
        assert_eq!(latest["steps"][0]["plugins"][0]["isolation"], isolation);
    }
}

/// A plugin's output while the host holds it comes out of the memory of the run.
#[test]
fn one_bound_for_the_run() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    let stages = with_guest(
        "transform",
        "amplify",
        "grant = { columns = [\"*\"], memory = \"16MiB\", deadline = \"20s\" }",
    );
    let file = Visits {
        stages: &stages,
        ..Visits::default()
    }
    .write(&scene);
    let mut command = scene.run_command(&file, &[("landing", "in")]);
    command
        .env("WEIR_MEMORY", "18MiB")
        .env("WEIR_PARTITIONS", "1");
    Ended::from(command.output().unwrap())
        .expect_code(75)
        .says(&[
            "bytes of output that the run's memory has room for",
            "raise WEIR_MEMORY",
        ]);
}

/// More instances than the sandbox has room for are an error of the plan, not of the run.
#[test]
fn instances_have_a_cap() {
    let scene = scene();
    let stages = with_guest("transform", "identity", "grant = { columns = [\"*\"] }").repeat(9);
    let file = Visits {
        stages: &stages,
        ..Visits::default()
    }
    .write(&scene);
    let mut command = scene.run_command(&file, &[("landing", "in")]);
    command.env("WEIR_PARTITIONS", "8");
    Ended::from(command.output().unwrap())
        .expect_code(2)
        .says(&[
            "9 plugins in a row in 8 partitions need 72 instances; 64 may be alive at once",
            "hint: lower the run's parallelism (WEIR_PARTITIONS)",
        ]);
}
