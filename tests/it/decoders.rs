//! Files that a plugin decodes: its rows, what it rejects, and what is told when it does not fit.

use std::io::Write as _;

use weir_tests::{Contents, Ended, Scene, built};

/// A pipeline of one step that reads lines.
fn pipeline(scene: &Scene, read: &str, more: &str) -> std::path::PathBuf {
    scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "lines"
[zone.raw]
[plugins]
lines = {{ component = "{}" }}
keep = {{ component = "{}" }}
[[step]]
name = "load"
read = {{ files = "in/*", {read} }}
{more}
[[step.write]]
table = "raw.lines"
mode = "append"
"#,
            built::guest("decoder").display(),
            built::guest("transform").display(),
        ),
    )
}

fn run(scene: &Scene, read: &str, more: &str) -> Ended {
    scene.run(&pipeline(scene, read, more), &[])
}

const DECODED: &str = "decoder = \"lines\", on_fail = \"quarantine\"";

#[test]
fn rows_and_rejected_parts_go_where_those_of_other_files_go() {
    let scene = Scene::new();
    scene.file("in/a.txt", b"one\ntwo\xff\nthree\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"four\nfive").unwrap();
    scene.file("in/b.txt.gz", packed.finish().unwrap());
    run(&scene, DECODED, "").expect_code(3);
    let lines = "select line from raw.lines order by line";
    assert_eq!(scene.sql_csv(lines)[1..], ["five", "four", "one", "three"]);
    let rejected = scene.sql_csv(
        "select _weir_stage, _weir_rule, _weir_message, _weir_raw, _weir_plugin, _weir_plugin_version, _weir_file like '%/in/a.txt', line is null from raw.lines__quarantine",
    );
    assert_eq!(
        rejected[1..],
        [
            "read,not_utf8,4 bytes from byte 4 on: the line is not UTF-8,two\u{fffd},lines,0.1.0,true,true"
        ]
    );
    let record = scene.latest();
    let step = &record["steps"][0];
    assert_eq!(step["counts"]["read"], 5);
    assert_eq!(step["counts"]["accepted"], 4);
    assert_eq!(step["counts"]["quarantined"], 1);
    let plugin = &step["plugins"][0];
    assert_eq!(plugin["plugin"], "lines");
    assert_eq!(plugin["stage"], "step 'load' read");
    assert!(plugin["peak_memory"].as_u64().unwrap() > 0);
    // Each file once.
    run(&scene, DECODED, "").expect_code(0);
    scene.file("in/c.txt", "six\n");
    run(&scene, DECODED, "").expect_code(0);
    assert_eq!(scene.count("raw.lines"), 5);
    // Stages follow, and what they reject stands beside what the decoder does.
    let other = Scene::new();
    other.file("in/a.txt", b"one\n\xfe\n22\n");
    let check = "[[step.stage]]\ncheck = { pattern = { line = \"[a-z]+\" } }";
    run(&other, DECODED, check).expect_code(3);
    let rules = "select _weir_rule, _weir_raw from raw.lines__quarantine order by 1";
    assert_eq!(
        other.sql_csv(rules)[1..],
        ["not_utf8,\u{fffd}", "pattern(line),"]
    );
    assert_eq!(other.sql_csv(lines)[1..], ["one"]);
}

#[test]
fn many_rows_and_long_files_are_the_same_however_they_are_read() {
    let scene = Scene::new();
    // Over several chunks, with rejected lines in each.
    let mut text = Vec::new();
    for row in 0..200_000_u32 {
        match row % 20_000 {
            19_999 => text.extend_from_slice(b"\xff\xff\n"),
            _ => writeln!(text, "line {row:>10}").unwrap(),
        }
    }
    scene.file("in/a.txt", &text);
    let grant = format!("{DECODED}, grant = {{ memory = \"16MiB\", deadline = \"20s\" }}");
    run(&scene, &grant, "").expect_code(3);
    assert_eq!(
        scene.sql_csv("select count(*), count(distinct line), max(line) from raw.lines")[1..],
        ["199990,199990,line     199998"]
    );
    assert_eq!(
        scene.sql_csv("select count(*), count(distinct _weir_message), min(length(_weir_raw)) from raw.lines__quarantine")[1..],
        ["10,10,2"]
    );
}

#[test]
fn what_does_not_fit_is_told() {
    let scene = Scene::new();
    scene.file("in/a.txt", b"one\ntwo\xff\n");
    // The first rejected part ends a strict read, and nothing is written.
    run(&scene, "decoder = \"lines\"", "")
        .expect_code(1)
        .says(&[
            "in/a.txt: 4 bytes from byte 4 on: not_utf8 (A line is UTF-8.)",
            "on_fail = \"quarantine\"",
        ]);
    for (read, more, says) in [
        (
            "decoder = \"keep\"",
            "",
            "plugin 'keep' is of world transform, one of world decoder is needed here",
        ),
        (
            "decoder = \"lines\"",
            "[[step.stage]]\ntransform = \"lines\"\ngrant = { columns = [\"*\"] }",
            "plugin 'lines' is of world decoder, one of world transform is needed here",
        ),
        (
            "decoder = \"lines\", format = \"csv\"",
            "",
            "`format` does not apply to files that a plugin decodes",
        ),
        (
            "decoder = \"lines\", max_record = \"1KiB\"",
            "",
            "`max_record` does not apply",
        ),
        (
            "decoder = \"lines\", grant = { columns = [\"*\"] }",
            "",
            "`columns` belongs to plugins that are given rows",
        ),
        (
            "decoder = \"lines\", contract = { rows = \"any\" }",
            "",
            "`rows` belongs to transforms",
        ),
        (
            "format = \"csv\", schema = { a = \"string\" }, config = {}",
            "",
            "`config` belongs to `decoder`",
        ),
        ("decoder = \"none\"", "", "'none'"),
        (
            "decoder = \"lines\", schema = { line = \"string\", n = \"int64\" }",
            "",
            "it gives line string not null, and line string, n int64 is declared",
        ),
        (
            "decoder = \"lines\", contract = { rules = [\"other\"] }",
            "",
            "plugin 'lines' declares no rule 'other'",
        ),
    ] {
        run(&scene, read, more).expect_code(2).says(&[says]);
    }
    assert!(!scene.lake().join("raw").exists());
    // What is declared of sensitive columns counts.
    let labelled = "decoder = \"lines\", on_fail = \"drop\", schema = { line = { type = \"string not null\", sensitivity = \"phi\" } }";
    run(&scene, labelled, "").expect_code(2).says(&["phi"]);
    // Out of memory within a file: which one is named, and nothing is written.
    scene.file("in/a.txt", vec![b'x'; 8 << 20]);
    let small = "decoder = \"lines\", grant = { memory = \"4MiB\", deadline = \"20s\" }";
    run(&scene, small, "").expect_code(1).says(&[
        "in/a.txt",
        "step 'load' read",
        "bytes of memory",
    ]);
}

#[test]
fn its_terms_are_shown() {
    let scene = Scene::new();
    scene.file("in/a.txt", "one\n");
    let file = pipeline(&scene, DECODED, "");
    let plan = |more: &[&str]| {
        let mut command = scene.weir(["plan"]);
        command
            .arg(&file)
            .args(more)
            .arg("--lake")
            .arg(scene.lake());
        Ended::from(command.output().unwrap()).expect_code(0)
    };
    let text = plan(&[]);
    assert!(
        text.stdout.contains("decoded by plugin 'lines' ("),
        "{}",
        text.stdout
    );
    let terms = plan(&["--terms"]);
    for says in [
        "TERMS of plugin 'lines' in pipeline 'lines', step 'load', read",
        "the bytes of the files in/*",
        "a fresh instance for each file",
        "line string",
        "parts of files that it rejects go to raw.lines__quarantine",
    ] {
        assert!(terms.stdout.contains(says), "{says}: {}", terms.stdout);
    }
    // Another configuration is another step.
    let fingerprint = |read: &str| {
        let scene = Scene::new();
        scene.file("in/a.txt", "one\n");
        run(&scene, read, "").expect_code(0);
        scene.latest()["steps"][0]["fingerprint"].to_string()
    };
    let plain = fingerprint(DECODED);
    assert_eq!(plain, fingerprint(DECODED));
    assert_ne!(
        plain,
        fingerprint(&format!("{DECODED}, config = {{ a = 1 }}"))
    );
    assert_eq!(
        plain,
        fingerprint(&format!("{DECODED}, grant = {{ deadline = \"9s\" }}"))
    );
}

/// Messages of three formats, several of each, some of them broken.
fn messages(scene: &Scene) {
    for number in 0..40_u32 {
        let id = format!("{number:03}");
        let mut hl7 = format!(
            "MSH|^~\\&|LAB|A|B|C|20260105||ADT^A01|{id}|P|2.6\rPID|1||M{id}^^^H~N{id}||Roe^Ann||19800203|F||W~B\rOBX|1|TX|a\\T\\b\r"
        );
        if number % 10 == 3 {
            hl7.push_str("no segment\r");
        }
        scene.file(&format!("hl7/{id}.hl7"), hl7);
        let x12 = format!(
            "ISA*00*          *00*          *ZZ*PAYER          *ZZ*CLINIC         *240105*1200*^*00501*000000{id}*0*P*:~\nGS*HP*PAYER*CLINIC*20240105*1200*{number}*X*005010X221A1~\nST*835*0001~\nCLP*c{id}*1*100.50*80~\nSE*{}*0001~\nGE*1*{number}~\nIEA*1*000000{id}~\n",
            if number % 10 == 7 { 9 } else { 3 }
        );
        scene.file(&format!("x12/{id}.835"), x12);
        let mut fhir = format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"p{id}\",\"name\":[{{\"family\":\"Roe\",\"given\":[\"Ann\",\"B\"]}}]}}\n{{\"resourceType\":\"Observation\",\"id\":\"o{id}\"}}\n"
        );
        if number % 10 == 9 {
            fhir.push_str("{\"id\":\"nothing\"}\n");
        }
        scene.file(&format!("fhir/{id}.ndjson"), fhir);
    }
}

#[test]
fn messages_become_tables_and_the_same_ones_each_time() {
    let run = |partitions: &str| {
        let scene = Scene::new();
        messages(&scene);
        let step = |name: &str, files: &str, config: &str| {
            format!(
                "[[step]]\nname = \"{name}\"\nread = {{ files = \"{files}\", decoder = \"{name}\", config = {config}, on_fail = \"quarantine\" }}\n[[step.write]]\ntable = \"raw.{name}\"\n"
            )
        };
        let plugins: String = ["hl7v2", "x12", "fhir"]
            .map(|name| {
                format!(
                    "{name} = {{ component = \"{}\" }}\n",
                    built::plugin(name).display()
                )
            })
            .concat();
        let pipeline = scene.file(
            "pipeline.toml",
            format!(
                "weir = 1\nname = \"messages\"\n[zone.raw]\n[plugins]\n{plugins}{}{}{}",
                step("hl7v2", "hl7/*", "{ segment = \"PID\", columns = { mrn = \"3.1\", family = \"5.1\", races = \"10[*].1\" } }"),
                step("x12", "x12/*", "{ segment = \"CLP\", set = \"835\", columns = { claim = \"1\", charged = \"3\" } }"),
                step("fhir", "fhir/*", "{ resource = \"Patient\", columns = { id = \"id\", given = \"name[*].given[*]\" } }"),
            ),
        );
        let mut command = scene.run_command(&pipeline, &[]);
        command.env("WEIR_PARTITIONS", partitions);
        Ended::from(command.output().unwrap()).expect_code(3);
        scene
    };
    let scenes = [run("1"), run("2"), run("2")];
    let first = Contents::of(&scenes[0]);
    for scene in &scenes[1..] {
        Contents::of(scene).expect_same(&first, "rows of another run");
    }
    let scene = &scenes[0];
    assert_eq!(
        scene.sql_csv("select control_id, segment, mrn, family, races[2] from raw.hl7v2 order by control_id limit 1")[1..],
        ["000,2,M000,Roe,B"]
    );
    assert_eq!(
        scene.sql_csv("select interchange, claim, charged from raw.x12 order by claim limit 1")
            [1..],
        ["000000000,c000,100.50"]
    );
    assert_eq!(
        scene.sql_csv("select id, given[1], given[2] from raw.fhir order by id limit 1")[1..],
        ["p000,Ann,B"]
    );
    for (table, rule) in [
        ("hl7v2", "bad_segment"),
        ("x12", "wrong_count"),
        ("fhir", "not_a_resource"),
    ] {
        assert_eq!(scene.count(&format!("raw.{table}")), 40);
        assert_eq!(
            scene.sql_csv(&format!(
                "select _weir_rule, count(*), min(_weir_plugin) from raw.{table}__quarantine group by 1"
            ))[1..],
            [format!("{rule},4,{table}")]
        );
    }
}

#[test]
fn what_a_decoder_makes_of_sensitive_tables_is_sensitive() {
    let scene = Scene::new();
    scene.file("in/a.txt", "one\n");
    scene.file("map.csv", "code,name\n1,Ada\n");
    let side = |sensitivity: &str| {
        format!(
            "decoder = \"lines\", side_inputs = {{ map = {{ files = \"map.csv\", format = \"csv\", schema = {{ code = \"string\", name = {{ type = \"string\"{sensitivity} }} }} }} }}"
        )
    };
    run(&scene, &side(""), "").expect_code(0);
    run(&scene, &side(", sensitivity = \"phi\""), "")
        .expect_code(2)
        .says(&["'line' is phi", "raw"]);
}
