//! Plugins that misbehave, or must not be loaded.

use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

fn guest(config: &str, grant: &str) -> String {
    format!(
        "\n[[step.stage]]\ntransform = \"guest_transform\"\nconfig = {{ {config} }}\ngrant = {{ columns = [\"*\"], {grant} }}\n"
    )
}

/// Runs with a guest that behaves, then with one that does not from its third batch on.
fn fails_in_batch_3(mode: &str, grant: &str) -> Ended {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..30_000));
    let well = guest("mode = \"identity\"", "");
    Visits {
        stages: &well,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(0);
    let targets = Targets::of(&scene);
    let badly = guest(&format!("mode = \"{mode}\", at = 3"), grant);
    let ended = Visits {
        stages: &badly,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(1);
    targets.expect_untouched(&scene);
    ended
        .says(&[
            "error: plugin 'guest_transform' (",
            "step 'visits' stage 1 (transform), process, batch 3: ",
            "hint: ",
            "  step visits or its plugins changed",
            "  raw.visits: as before this run",
            "next: weir run",
        ])
        .hides(&["secret-canary"])
}

#[test]
fn a_trap_in_batch_3() {
    fails_in_batch_3("trap", "").says(&["batch 3: trapped: "]);
}

#[test]
fn a_panic_in_batch_3() {
    fails_in_batch_3("panic", "").says(&["batch 3: trapped: "]);
}

#[test]
fn an_endless_loop_in_batch_3() {
    fails_in_batch_3("loop", "deadline = \"200ms\"").says(&[
        "batch 3: over the limit of 200 ms of guest time",
        "hint: raise `deadline`",
    ]);
}

#[test]
fn too_much_memory_in_batch_3() {
    fails_in_batch_3("bomb", "memory = \"16MiB\"").says(&[
        "batch 3: over the limit of 16777216 bytes of memory",
        "hint: raise `memory`",
    ]);
}

#[test]
fn batches_that_are_none() {
    for mode in [
        "bad_offsets",
        "bad_utf8",
        "extra_buffer",
        "origin_out_of_range",
    ] {
        fails_in_batch_3(mode, "").says(&["this is the plugin's fault"]);
    }
}

#[test]
fn an_error_that_asks_to_try_again_is_exit_code_75() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    for (kind, code) in [("config", 1), ("data", 1), ("fatal", 1), ("retry", 75)] {
        let stages = guest(&format!("mode = \"error\", kind = \"{kind}\""), "");
        Visits {
            stages: &stages,
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(code)
        .says(&[&format!("process, batch 1: {kind} error: ")]);
    }
}

/// A row that a plugin rejects lies in quarantine with what the plugin says of it.
#[test]
fn a_rejected_row_keeps_rule_and_message() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    let stages = guest("mode = \"reject\"", "");
    Visits {
        stages: &stages,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(3);
    assert_eq!(
        scene.sql_csv(
            "select id, _weir_rule as rule, _weir_ordinal as ordinal from raw.visits__quarantine order by id"
        ),
        ["id,rule,ordinal", "0,odd,1", "2,odd,3"]
    );
    let row = &scene.sql("select * from raw.visits__quarantine where id = 2")[0];
    let file = row["_weir_file"].as_str().unwrap();
    assert!(file.ends_with("/in/v.csv"), "{file}");
    assert!(
        row["_weir_message"]
            .as_str()
            .unwrap()
            .starts_with("it is odd")
    );
    assert_eq!(row["_weir_run"], scene.latest()["run"]);
    assert_eq!(scene.count("raw.visits"), 8);
}

/// Components that are refused before any of them runs: the pipeline has never touched a target.
#[test]
fn components_that_must_not_be_loaded() {
    for (component, error, hint) in [
        (
            r#"(component (instance $i) (export "weir:plugin/transformer@0.3.0" (instance $i)))"#,
            "plugin 'x' targets weir:plugin@0.3; this weir supports 0.1",
            "hint: rebuild the plugin against weir:plugin@0.1",
        ),
        (
            r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance)) (instance $i)
                (export "weir:plugin/transformer@0.1.0" (instance $i)))"#,
            "plugin 'x' imports `wasi:http/outgoing-handler@0.2.0`, which it is not granted",
            "hint: of the worlds only `source` may reach the network",
        ),
        (
            r#"(component (import "wasi:keyvalue/store@0.2.0" (instance)) (instance $i)
                (export "weir:plugin/transformer@0.1.0" (instance $i)))"#,
            "plugin 'x' imports `wasi:keyvalue/store@0.2.0`, which it is not granted",
            "hint: a plugin may import the basic WASI 0.2 interfaces",
        ),
        (
            "(module)",
            "plugin 'x' is not a WebAssembly component: found a core WebAssembly module",
            "hint: build it for target wasm32-wasip2",
        ),
    ] {
        let scene = Scene::new();
        scene.file("in/v.csv", Visits::rows(0..10));
        Visits::default().run(&scene).expect_code(0);
        let targets = Targets::of(&scene);
        scene.file("x.wasm", wat::parse_str(component).unwrap());
        let text = std::fs::read_to_string(Visits::default().write(&scene)).unwrap();
        let text = text
            .replace("[plugins]", "[plugins]\nx = { component = \"x.wasm\" }")
            .replace(
                "[[step.write]]",
                "[[step.stage]]\ntransform = \"x\"\ngrant = { columns = [\"*\"] }\n[[step.write]]",
            );
        let pipeline = scene.file("visits.toml", text);
        for command in ["plan", "run"] {
            scene
                .weir([
                    command,
                    "visits.toml",
                    "--param",
                    "landing=in",
                    "--lake",
                    "lake",
                ])
                .output()
                .map(Ended::from)
                .unwrap()
                .expect_code(1)
                .says(&[error, hint]);
        }
        targets.expect_untouched(&scene);
        assert!(pipeline.is_file());
        scene
            .call(["plugin", "inspect", "x.wasm"])
            .expect_code(1)
            .says(&[error, hint]);
    }
}

#[test]
fn a_component_with_another_digest_than_the_file_demands() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    let stages = guest("mode = \"identity\"", "");
    let pipeline = Visits {
        stages: &stages,
        ..Visits::default()
    }
    .write(&scene);
    let text = std::fs::read_to_string(&pipeline).unwrap();
    let pinned = text.replace(
        ".wasm\" }",
        &format!(".wasm\", sha256 = \"{}\" }}", "0".repeat(64)),
    );
    assert_ne!(pinned, text);
    scene.file("visits.toml", pinned);
    scene
        .run(&pipeline, &[("landing", "in")])
        .expect_code(2)
        .says(&[
            "has digest",
            "--> ",
            "visits.toml:",
            "hint: if the change was meant",
        ]);
    assert!(!scene.lake().join("raw").exists());
}
