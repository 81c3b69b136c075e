//! Sound files and what they resolve to.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_pipeline::*;

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn no_env() -> LoadOptions<'static> {
    LoadOptions {
        profile: None,
        env: &|_| None,
    }
}

fn told<T>(result: Result<T, Faults>) -> T {
    result.unwrap_or_else(|faults| panic!("{faults}"))
}

fn parse(text: &str) -> PipelineFile {
    told(PipelineFile::parse(
        Path::new("tests/good/test.toml"),
        text,
        &no_env(),
    ))
}

fn visits(profile: Option<&str>) -> PipelineFile {
    let env = |name: &str| (name == "WAREHOUSE").then(|| "/w/w.sqlite".to_owned());
    let options = LoadOptions { profile, env: &env };
    told(PipelineFile::load(
        Path::new("tests/good/visits.toml"),
        &options,
    ))
}

fn date(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

/// A file with one step, whose table holds `step`.
fn with_step(head: &str, step: &str) -> String {
    format!(
        "weir = 1\nname = \"t\"\n{head}\n[zone.raw]\n[plugins]\np = {{ component = \"p.wasm\" }}\n\
         [[step]]\nname = \"s\"\n{step}\n"
    )
}

const SCHEMA: &str = "format = \"csv\", schema = { id = \"int64\" }";

#[test]
fn steps_and_views_are_included_behind_those_of_the_file() {
    let shared = r#"
[zone.curated]
[connections.w]
kind = "sqlite"
[[step]]
name = "sum"
read = { sql = { file = "sum.sql" } }
write = { table = "curated.sums" }
[[step]]
name = "publish"
read = { table = "curated.sums" }
write = { connection = "w", table = "sums" }
[[view]]
name = "none"
connection = "w"
sql = "select * from sums where n = 0"
"#;
    // One entry may be written as a table.
    let shared = [
        shared,
        "[report]\ntitle = \"t\"\nchart = \"table\"\nsql = \"select n from raw.t\"\n",
    ]
    .concat();
    let text = with_step(
        "include = [\"shared.toml\"]\n[[report]]\ntitle = \"first\"\nchart = \"table\"\nsql = \"select n from raw.t\"\n",
        &format!("read = {{ files = \"a.csv\", {SCHEMA} }}\nwrite = {{ table = \"raw.t\" }}"),
    );
    let read_text = std::sync::Arc::new(move |path: &Path| {
        Ok(match path.ends_with("shared.toml") {
            true => shared.clone(),
            false => "select count(*) as n from raw.t".to_owned(),
        })
    });
    let path = Path::new("tests/good/test.toml");
    let file = told(PipelineFile::parse_with(path, &text, &no_env(), read_text));
    told(file.check());
    let pipeline = told(file.resolve(&BTreeMap::new()));
    let names: Vec<&str> = pipeline
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["s", "sum", "publish", "view-none"]);
    let titles: Vec<&str> = pipeline
        .reports
        .iter()
        .map(|report| report.title.as_str())
        .collect();
    assert_eq!(titles, ["first", "t"]);
}

/// A profile lays keys over those of the file and takes none away.
#[test]
fn a_profile_makes_a_server_of_a_file() {
    let text = with_step(
        "[connections.w]\nkind = \"sqlite\"\npath = \"${env.W:-w.sqlite}\"\n\
         [profile.server.connections.w]\nkind = \"postgres\"\npath = \"\"\nurl = { env = \"W_URL\" }",
        &format!(
            "read = {{ files = \"a.csv\", {SCHEMA} }}\nwrite = {{ connection = \"w\", table = \"t\" }}"
        ),
    );
    let path = Path::new("tests/good/test.toml");
    for profile in [None, Some("server")] {
        let options = LoadOptions {
            profile,
            env: &|_| None,
        };
        let file = told(PipelineFile::parse(path, &text, &options));
        told(file.check());
        let pipeline = told(file.resolve(&BTreeMap::new()));
        let is_file = matches!(
            &pipeline.connections["w"].kind,
            ConnectionKind::Sqlite { .. }
        );
        assert_eq!(is_file, profile.is_none());
    }
}

#[test]
fn the_usual_shape() {
    let file = visits(None);
    told(file.check());
    assert_eq!(file.params().len(), 2);
    assert_eq!(file.params()[0].values.len(), 2);
    let pipeline = told(file.resolve(&args(&[("source", "source_b"), ("date", "2026-03-01")])));

    assert_eq!(pipeline.name, "visit-events");
    assert_eq!(pipeline.dir, Path::new("tests/good"));
    assert_eq!(pipeline.lake, "./lake");
    assert_eq!(
        pipeline.params["date"],
        ParamValue::Date(date("2026-03-01"))
    );
    assert_eq!(pipeline.zones["cleansed"].sensitivity, ["personal"]);
    let ConnectionKind::Sqlite { path } = &pipeline.connections["warehouse"].kind else {
        panic!("it is a file");
    };
    assert_eq!(path.as_deref(), Some("/w/w.sqlite"));

    let [flatten, publish] = pipeline.steps.as_slice() else {
        panic!()
    };
    assert_eq!(flatten.timeout, Some(Duration::from_secs(3_600)));
    assert_eq!(publish.timeout, Some(Duration::from_secs(600)));
    assert_eq!(flatten.read.limit, Some(1_000));
    let ReadSource::Files(files) = &flatten.read.source else {
        panic!()
    };
    assert_eq!(files.glob, "landing/source_b/20260301/*.json");
    let FileSchema::Declared(columns) = &files.schema else {
        panic!()
    };
    let names: Vec<_> = columns
        .iter()
        .map(|c| (c.name.as_str(), c.nullable))
        .collect();
    assert_eq!(
        names,
        [
            ("patient_id", false),
            ("name", true),
            ("amount", true),
            ("visits", true)
        ]
    );

    let StageAction::Transform(transform) = &flatten.stages[0].action else {
        panic!()
    };
    assert_eq!(flatten.stages[0].label, "stage 1 (transform)");
    assert_eq!(transform.plugin, "source_b");
    assert_eq!(
        serde_json::Value::Object(transform.config.clone()),
        serde_json::json!({
            "day": "2026-03-01", "since": "2026-01-01", "label": "run of source_b",
            "price": "${x}", "n": 3, "ratio": 0.5,
        })
    );
    assert_eq!(transform.grant.memory, 64 << 20);
    assert_eq!(transform.grant.deadline, Duration::from_millis(500));

    let StageAction::Checks(keys) = &flatten.stages[1].action else {
        panic!()
    };
    assert_eq!(keys.on_fail.fail_above, Some(Threshold::Share(0.01)));
    assert_eq!(keys.on_fail.warn_above, Some(Threshold::Rows(10)));
    assert_eq!(keys.checks[0].rule, "not_null(patient_id)");
    assert_eq!(
        keys.checks[0].place.file.as_ref(),
        Path::new("tests/good/shared.toml")
    );

    let StageAction::Checks(checks) = &flatten.stages[2].action else {
        panic!()
    };
    let rules: Vec<_> = checks
        .checks
        .iter()
        .map(|check| check.rule.as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "unique(patient_id)",
            "unique(name, born)",
            "accepted(sex)",
            "range(age)",
            "range(born)",
            "pattern(zip)",
            "visit after birth",
            "references(county)"
        ]
    );
    let CheckKind::Accepted { values, .. } = &checks.checks[2].kind else {
        panic!()
    };
    assert_eq!(values, &["F", "M", "9"]);
    let CheckKind::Range { min, max, .. } = &checks.checks[3].kind else {
        panic!()
    };
    assert_eq!((min.as_deref(), max.as_deref()), (Some("0"), Some("120.5")));
    let CheckKind::Range { min, max, .. } = &checks.checks[4].kind else {
        panic!()
    };
    assert_eq!((min.as_deref(), max.as_deref()), (Some("1900-01-01"), None));

    assert_eq!(
        flatten.writes[0].partition,
        [
            (
                "source".to_owned(),
                ScopeValue::String("source_b".to_owned())
            ),
            (
                "snapshot_date".to_owned(),
                ScopeValue::Date(date("2026-03-01"))
            ),
        ]
    );
    assert!(
        matches!(&publish.writes[0].target, Target::Database { connection, table }
        if connection == "warehouse" && table == "visits")
    );
    let ReadSource::Sql(sql) = &publish.read.source else {
        panic!()
    };
    assert!(sql.ends_with("source = $source and ingest_date = $date"));
}

#[test]
fn a_profile_is_merged_deeply() {
    let given = args(&[("source", "source_a"), ("date", "2026-03-01")]);
    let pipeline = told(visits(Some("prod")).resolve(&given));
    assert_eq!(pipeline.lake, "s3://lake/prod");
    let zone = &pipeline.zones["cleansed"];
    assert_eq!(zone.sensitivity, ["personal"]);
    assert_eq!(zone.retention, Some(Duration::from_secs(30 * 86_400)));
}

#[test]
fn a_resolved_file_is_a_file_that_means_the_same() {
    let given = args(&[("source", "source_b"), ("date", "2026-03-01")]);
    for profile in [None, Some("prod")] {
        let file = visits(profile);
        let once = told(file.resolved_toml(Some(&given)));
        assert!(
            once.contains("${env.WAREHOUSE:-warehouse.sqlite}"),
            "{once}"
        );
        assert!(
            !once.contains("/w/w.sqlite") && !once.contains("${param."),
            "{once}"
        );
        let again = told(PipelineFile::parse(
            Path::new("tests/good/visits.toml"),
            &once,
            &LoadOptions {
                profile: None,
                env: &|name| (name == "WAREHOUSE").then(|| "/w/w.sqlite".to_owned()),
            },
        ));
        assert_eq!(told(again.resolved_toml(Some(&BTreeMap::new()))), once);
        // Places differ; nothing else may.
        let without_places = |pipeline: &Pipeline| {
            let text = format!("{pipeline:#?}");
            let lines = text
                .lines()
                .filter(|line| !line.contains("Place(") && !line.contains("place:"));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        assert_eq!(
            without_places(&told(again.resolve(&BTreeMap::new()))),
            without_places(&told(file.resolve(&given)))
        );

        let open = told(file.resolved_toml(None));
        assert!(
            open.contains("${param.date:%Y%m%d}") && open.contains("$${x}"),
            "{open}"
        );
    }
}

#[test]
fn each_is_walked_side_by_side() {
    let file = parse(&with_step(
        "",
        "each = { table = [\"a\", \"b\"], year = [2008, 2009], on = [true, false] }\n\
         read = { files = \"${each.table}_${each.year}*.csv\", format = \"csv\", schema = \"schemas/visit.toml\" }\n\
         stage = [{ transform = \"p\", grant = { columns = [\"*\"] }, config = { y = \"${each.year}\", on = \"${each.on}\", t = \"y${each.year}\" } }]\n\
         write = { table = \"raw.${each.table}\", mode = \"replace-partition\", partition = { year = \"${each.year}\" } }",
    ));
    told(file.check());
    let pipeline = told(file.resolve(&BTreeMap::new()));
    let names: Vec<_> = pipeline
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["s[a,2008,true]", "s[b,2009,false]"]);
    let second = &pipeline.steps[1];
    let ReadSource::Files(files) = &second.read.source else {
        panic!()
    };
    assert_eq!(files.glob, "b_2009*.csv");
    let StageAction::Transform(transform) = &second.stages[0].action else {
        panic!()
    };
    assert_eq!(
        serde_json::Value::Object(transform.config.clone()),
        serde_json::json!({ "y": 2009, "on": false, "t": "y2009" })
    );
    assert_eq!(
        second.writes[0].partition,
        [("year".to_owned(), ScopeValue::Int(2009))]
    );

    let resolved = told(file.resolved_toml(None));
    assert!(
        resolved.contains("name = \"s[b,2009,false]\"") && !resolved.contains("each"),
        "{resolved}"
    );
    assert_eq!(
        told(parse(&resolved).resolve(&BTreeMap::new())).steps.len(),
        2
    );
}

#[test]
fn one_list_names_the_steps() {
    let step = format!(
        "each = {{ t = [\"a\", \"b\"] }}\nread = {{ files = \"x.csv\", {SCHEMA} }}\nwrite = {{ table = \"raw.${{each.t}}\" }}"
    );
    let pipeline = told(parse(&with_step("", &step)).resolve(&BTreeMap::new()));
    assert_eq!(pipeline.steps[0].name, "s[a]");
}

#[test]
fn several_steps_may_share_a_target() {
    let read = format!("read = {{ files = \"${{each.y}}.csv\", {SCHEMA} }}");
    let step = format!(
        "each = {{ y = [1, 2] }}\n{read}\nwrite = {{ table = \"raw.t\", mode = \"replace-partition\", partition = {{ y = \"${{each.y}}\" }} }}"
    );
    told(parse(&with_step("", &step)).check());
    let step = format!(
        "each = {{ y = [1, 2] }}\n{read}\nwrite = {{ table = \"raw.t\", mode = \"append\" }}"
    );
    told(parse(&with_step("", &step)).check());
}

#[test]
fn typed_parameters_keep_their_type_alone_and_become_text_among_text() {
    let params = "[params]\nn = { type = \"int\" }\nd = { type = \"date\", default = \"2026-02-03\" }\nb = { type = \"bool\", default = true }\ns = { type = \"string\", default = \"x y\" }";
    let step = format!(
        "read = {{ files = \"x.csv\", {SCHEMA} }}\n\
         stage = [{{ plugin_check = \"p\", grant = {{ columns = [\"*\"] }}, config = {{ n = \"${{param.n}}\", d = \"${{param.d}}\", b = \"${{param.b}}\", t = \"n${{param.n}}\", l = [\"${{param.n}}\"] }} }}]\n\
         write = {{ table = \"raw.t\", partition = {{ n = \"${{param.n}}\", d = \"${{param.d}}\", m = \"${{param.d:%Y-%m}}\", s = \"${{param.s}}\", z = 2026-01-01 }} }}"
    );
    let file = parse(&with_step(params, &step));
    told(file.check());
    let pipeline = told(file.resolve(&args(&[("n", "-7")])));
    let step = &pipeline.steps[0];
    let StageAction::PluginCheck(check) = &step.stages[0].action else {
        panic!()
    };
    assert_eq!(
        serde_json::Value::Object(check.config.clone()),
        serde_json::json!({ "n": -7, "d": "2026-02-03", "b": true, "t": "n-7", "l": [-7] })
    );
    let values: Vec<_> = step.writes[0]
        .partition
        .iter()
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(
        values,
        [
            ScopeValue::Int(-7),
            ScopeValue::Date(date("2026-02-03")),
            ScopeValue::String("2026-02".to_owned()),
            ScopeValue::String("x y".to_owned()),
            ScopeValue::Date(date("2026-01-01")),
        ]
    );
}

#[test]
fn values_bring_no_wildcards_into_globs_and_patterns() {
    let params = "[params]\ndir = { type = \"path\" }\ns = { type = \"string\" }";
    let step = format!(
        "read = {{ files = \"${{param.dir}}/${{param.s}}/*.csv\", {SCHEMA} }}\n\
         stage = [{{ check = {{ pattern = {{ a = \"${{param.s}}[0-9]+\" }} }} }}]\n\
         write = {{ table = \"raw.t\" }}"
    );
    let file = parse(&with_step(params, &step));
    told(file.check());
    let pipeline = told(file.resolve(&args(&[("dir", "/data/[x]/*"), ("s", "a.b")])));
    let step = &pipeline.steps[0];
    let ReadSource::Files(files) = &step.read.source else {
        panic!()
    };
    assert_eq!(files.glob, "/data/[[]x[]]/[*]/a.b/*.csv");
    let StageAction::Checks(stage) = &step.stages[0].action else {
        panic!()
    };
    assert!(
        matches!(&stage.checks[0].kind, CheckKind::Pattern { regex, .. } if regex == r"a\.b[0-9]+")
    );
    for refused in [
        "", "a/b", "..", "a..b", "*", "a?", "[a]", "{a", "a\\b", "a\0", "a\nb",
    ] {
        let given = args(&[("dir", "/data"), ("s", refused)]);
        assert!(file.resolve(&given).is_err(), "{refused:?}");
    }
}

#[test]
fn what_a_missing_parameter_names_is_not_judged_by_check() {
    let params =
        "[params]\np = { type = \"string\" }\nz = { type = \"string\" }\nf = { type = \"string\" }";
    let step = "read = { files = \"x\", format = \"${param.f}\", schema = \"${param.f}.toml\" }\n\
         stage = [{ transform = \"${param.p}\", grant = { columns = [\"*\"] } }, { check = \"${param.p}\", on_fail = \"${param.f}\" }]\n\
         write = { table = \"${param.z}.t\" }\ntimeout = \"${param.f}\"";
    let file = parse(&with_step(params, step));
    told(file.check());
    assert!(
        file.resolve(&args(&[("p", "p"), ("z", "raw"), ("f", "csv")]))
            .is_err()
    );
}

#[test]
fn the_environment_gives_values_and_defaults_apply_when_it_is_empty() {
    let text = with_step(
        "lake = { url = \"${env.A:-./a}${env.B:-b}\" }\n[params]\nx = { type = \"string\", default = \"${env.B}\" }",
        &format!("read = {{ files = \"x.csv\", {SCHEMA} }}\nwrite = {{ table = \"raw.t\" }}"),
    );
    let env = |name: &str| {
        Some(if name == "A" {
            String::new()
        } else {
            "*b".to_owned()
        })
    };
    let file = told(PipelineFile::parse(
        Path::new("t.toml"),
        &text,
        &LoadOptions {
            profile: None,
            env: &env,
        },
    ));
    let pipeline = told(file.resolve(&BTreeMap::new()));
    assert_eq!(pipeline.lake, "./a*b");
    assert_eq!(pipeline.params["x"], ParamValue::String("*b".to_owned()));
    assert_eq!(pipeline.dir, Path::new("."));
}

#[test]
fn csv_options_have_defaults() {
    let step = format!(
        "read = {{ files = \"x.csv\", {SCHEMA}, delimiter = \"\\t\", escape = \"\\\\\", nulls = [\"NA\"], compression = \"gzip\" }}\nwrite = {{ table = \"raw.t\" }}"
    );
    let pipeline = told(parse(&with_step("", &step)).resolve(&BTreeMap::new()));
    let ReadSource::Files(files) = &pipeline.steps[0].read.source else {
        panic!()
    };
    let FileFormat::Csv(csv) = &files.format else {
        panic!()
    };
    assert_eq!(
        (csv.delimiter, csv.quote, csv.escape, csv.header),
        (b'\t', b'"', Some(b'\\'), true)
    );
    assert_eq!(csv.nulls, ["NA"]);
    assert_eq!(files.compression, Compression::Gzip);
    assert!(!files.allow_missing);
}

#[test]
fn schemas_have_three_forms() {
    for schema in [
        "{ id = \"int64 not null\", columns = \"string\" }",
        "[{ name = \"id\", type = \"int64\", nullable = false }, { name = \"columns\", type = \"string\" }]",
        "{ columns = { id = \"int64 not null\", columns = \"string\" } }",
    ] {
        let step = format!(
            "read = {{ files = \"x\", format = \"parquet\", schema = {schema} }}\nwrite = {{ table = \"raw.t\" }}"
        );
        let text = with_step("", &step);
        let result = PipelineFile::parse(Path::new("t.toml"), &text, &no_env())
            .and_then(|file| file.resolve(&BTreeMap::new()));
        let pipeline = told(result);
        let ReadSource::Files(files) = &pipeline.steps[0].read.source else {
            panic!()
        };
        let FileSchema::Declared(columns) = &files.schema else {
            panic!()
        };
        let names: Vec<_> = columns
            .iter()
            .map(|c| (c.name.as_str(), c.nullable))
            .collect();
        assert_eq!(names, [("id", false), ("columns", true)], "{schema}");
    }
}

#[test]
fn a_file_may_be_a_megabyte_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.toml");
    let text = with_step(
        "",
        &format!("read = {{ files = \"x.csv\", {SCHEMA} }}\nwrite = {{ table = \"raw.t\" }}"),
    );
    for (size, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let padding = "#".repeat(size - text.len());
        fs::write(&path, format!("{text}{padding}")).unwrap();
        assert_eq!(PipelineFile::load(&path, &no_env()).is_ok(), fits);
    }
    fs::write(&path, b"weir = 1\nname = \"\xff\"").unwrap();
    assert!(PipelineFile::load(&path, &no_env()).is_err());
    assert!(PipelineFile::load(&folder.path().join("absent.toml"), &no_env()).is_err());
    assert!(PipelineFile::load(folder.path(), &no_env()).is_err());
}

/// Every file of the tests, cut anywhere and with bytes exchanged: faults, never a panic.
#[test]
fn no_text_panics() {
    let mut texts: Vec<String> = Vec::new();
    for folder in ["tests/faults", "tests/good"] {
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect();
        texts.extend(files.iter().map(|path| fs::read_to_string(path).unwrap()));
    }
    texts.retain(|text| text.len() < 4_000);
    let try_it = |text: &str| {
        let path = Path::new("tests/good/visits.toml");
        let given = args(&[
            ("source", "source_a"),
            ("date", "9999-12-31"),
            ("dir", "\u{202e}"),
        ]);
        // A reader that gives up without a fault is a fault of its own.
        let explained =
            |faults: Faults| assert!(!faults.to_string().contains("fault of Weir"), "{text}");
        match PipelineFile::parse(path, text, &no_env()) {
            Err(faults) => explained(faults),
            Ok(file) => {
                let _ = file.check().map_err(explained);
                let _ = file.resolve(&given).map_err(explained);
                let _ = file.resolved_toml(None).map_err(explained);
            }
        }
    };
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let tokens = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        "${",
        "${param.d:%",
        "\n",
        "7",
        "1e999",
        "é",
        "\u{0}",
        ".",
        ",",
        "#",
        "''",
        "2026-01-01",
        "true",
        "nan",
        "[[step]]\n",
        "99999999999999999999",
    ];
    for text in &texts {
        for _ in 0..60 {
            let mut changed: Vec<char> = text.chars().collect();
            for _ in 0..=random(3) {
                let at = random(changed.len());
                let end = (at + random(12)).min(changed.len());
                changed.splice(at..end, tokens[random(tokens.len())].chars());
            }
            try_it(&changed.into_iter().collect::<String>());
        }
    }
    // Nesting that recursion would not survive.
    let key = vec!["a"; 79].join(".");
    for deep in [
        "a=".to_owned() + &"[".repeat(100_000),
        "a=".to_owned() + &"{a=".repeat(100_000),
        "a.".repeat(100_000) + "b=1",
        format!(
            "weir = 1\n[{key}]\n{key} = {}1{}",
            format!("{{ {key} = ").repeat(78),
            "}".repeat(78)
        ),
    ] {
        try_it(&deep);
    }
}

#[test]
fn cycles_are_found_wherever_they_begin() {
    use std::collections::BTreeSet;
    let edges = |pairs: &[(usize, usize)]| {
        let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry(*from).or_default().insert(*to);
        }
        edges
    };
    assert_eq!(find_cycle(&edges(&[(0, 1), (0, 2), (1, 3), (2, 3)])), None);
    assert_eq!(
        find_cycle(&edges(&[(0, 1), (1, 2), (2, 3), (3, 1)])),
        Some(vec![1, 2, 3])
    );
    assert_eq!(find_cycle(&edges(&[(5, 5)])), Some(vec![5]));
    let long: Vec<_> = (0..100_000).map(|n| (n, n + 1)).collect();
    assert_eq!(find_cycle(&edges(&long[..2_000])), None);
}

#[test]
fn terms_of_a_tenant() {
    let text = with_step(
        "",
        &format!(
            r#"read = {{ files = "a.csv", {SCHEMA} }}
write = {{ table = "raw.t" }}
[[step.stage]]
transform = "p"
isolation = "batch"
[step.stage.grant]
columns = ["id", "patient.zip", "!patient.ssn"]
rows_out = 3
log = "4KiB"
clock = true
random = true
secrets = {{ pii = {{ env = "PII_KEY" }}, salt = {{ file = "salt.txt" }} }}
[step.stage.contract]
adds = {{ raf = "decimal(9,4) not null", note = "string" }}
rows = "one-to-one"
rules = ["bad_age"]
text = "guest-log"
[[step.stage]]
transform = "p"
grant = {{ columns = ["*"] }}"#
        ),
    );
    let pipeline = told(parse(&text).resolve(&args(&[])));
    let [first, second] = pipeline.steps[0].stages.as_slice() else {
        panic!("two stages");
    };
    let StageAction::Transform(pinned) = &first.action else {
        panic!("a transform");
    };
    assert_eq!(pinned.isolation, Isolation::Batch);
    assert_eq!(pinned.grant.rows_out, Some(3));
    assert_eq!(pinned.grant.log, 4096);
    assert!(pinned.grant.clock && pinned.grant.random);
    assert_eq!(
        pinned.grant.secrets,
        BTreeMap::from([
            ("pii".to_owned(), SecretSource::Env("PII_KEY".to_owned())),
            ("salt".to_owned(), SecretSource::File("salt.txt".into())),
        ])
    );
    let adds = pinned.contract.adds.as_ref().unwrap();
    assert_eq!(
        (&adds[0].data_type, adds[0].nullable, adds[1].nullable),
        (&DataType::Decimal(9, 4), false, true)
    );
    assert_eq!(pinned.contract.rows, RowContract::OneToOne);
    assert_eq!(pinned.contract.rules, Some(vec!["bad_age".to_owned()]));
    assert_eq!(pinned.contract.text, GuestText::GuestLog);

    // Nothing is given and nothing pinned by default.
    let StageAction::Transform(plain) = &second.action else {
        panic!("a transform");
    };
    assert_eq!(plain.contract, Contract::default());
    assert_eq!(plain.isolation, Isolation::Partition);
    assert!(!plain.grant.clock && !plain.grant.random && plain.grant.secrets.is_empty());
}

/// A file whose plugins come from `plugins`, used by stages as `uses` says.
fn with_plugins(params: &str, plugins: &str, uses: &[&str]) -> PipelineFile {
    let stages: String = uses
        .iter()
        .map(|name| {
            format!("[[step.stage]]\ntransform = \"{name}\"\ngrant = {{ columns = [\"*\"] }}\n")
        })
        .collect();
    let text = format!(
        "weir = 1\nname = \"t\"\n[params]\n{params}\n[zone.raw]\n{plugins}\n[[step]]\nname = \"s\"\n\
         read = {{ files = \"*.csv\", {SCHEMA} }}\nwrite = {{ table = \"raw.t\" }}\n{stages}"
    );
    let options = LoadOptions {
        profile: None,
        env: &|_| None,
    };
    told(PipelineFile::parse(Path::new("d/p.toml"), &text, &options))
}

#[test]
fn a_plugin_says_where_it_is_from_and_who_signed_it() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let key = "RWSccvN9XyCodv2Mt9DiJ+iNqC6jPjZSiCEHkx4YzchLCLNNzFzBKsPo";
    let file = with_plugins(
        "",
        &format!(
            "[trust]\nkeys = {{ acme = \"{key}\" }}\nrequire_signature = true\nrevoked = [\"r.toml\"]\n\
             [plugins]\na = {{ component = \"a.wasm\", signed_by = \"acme\", signature = \"a.minisig\" }}\n\
             b = {{ component = \"oci://localhost:5000/team/b@sha256:{digest}\" }}\nc = {{ component = \"c.wasm\" }}"
        ),
        &["a", "b"],
    );
    let pipeline = told(file.resolve(&args(&[])));
    assert_eq!(pipeline.trust.keys["acme"].text, key);
    assert!(pipeline.trust.require_signature);
    assert_eq!(pipeline.trust.revoked, [Path::new("r.toml")]);
    let set = pipeline.plugin_set();
    let names: Vec<_> = set.plugins.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b"], "no step uses c");
    assert_eq!(
        (set.pipeline.as_str(), set.dir.as_path()),
        ("t", Path::new("d"))
    );
    assert_eq!(set.plugins["a"].signed_by.as_deref(), Some("acme"));
    assert_eq!(
        set.plugins["a"].signature.as_deref(),
        Some(Path::new("a.minisig"))
    );
    let ComponentSource::Oci(reference) = &set.plugins["b"].component else {
        panic!()
    };
    assert_eq!(reference.registry(), "localhost:5000");
    assert_eq!(
        (reference.repository(), reference.digest()),
        ("team/b", digest)
    );
}

#[test]
fn the_plugins_of_any_run_are_known_without_its_arguments() {
    // `date` is required and means nothing to plugins; `source` chooses between two.
    let file = visits(None);
    let set = told(file.plugin_set(&args(&[])));
    let names: Vec<_> = set.plugins.keys().map(String::as_str).collect();
    assert_eq!(names, ["source_a", "source_b"]);
    let set = told(file.plugin_set(&args(&[("source", "source_b")])));
    assert_eq!(set.plugins.len(), 1);

    let told_of = |params: &str, plugins: &str, given: &[(&str, &str)]| {
        with_plugins(params, plugins, &["a"])
            .plugin_set(&args(given))
            .map(|set| set.plugins["a"].component.to_string())
            .map_err(|faults| faults.to_string())
    };
    let version = "version = { type = \"string\" }";
    let plugins = "[plugins]\na = { component = \"a-${param.version}.wasm\" }";
    let faults = told_of(version, plugins, &[]).unwrap_err();
    assert!(
        faults.contains("the component of plugin 'a' depends on a parameter that has no value"),
        "{faults}"
    );
    assert_eq!(
        told_of(version, plugins, &[("version", "2")]).unwrap(),
        "a-2.wasm"
    );
    let two = "version = { type = \"string\", values = [\"1\", \"2\"] }";
    let faults = told_of(two, plugins, &[]).unwrap_err();
    assert!(
        faults.contains("another component for another value"),
        "{faults}"
    );
    let faults = told_of(version, plugins, &[("versoin", "2")]).unwrap_err();
    assert!(faults.contains("no parameter 'versoin'"), "{faults}");

    let which = with_plugins(
        "which = { type = \"string\" }",
        plugins.replace("-${param.version}", "").as_str(),
        &["${param.which}"],
    );
    let faults = which.plugin_set(&args(&[])).unwrap_err().to_string();
    assert!(faults.contains("which plugin this stage uses"), "{faults}");
    assert_eq!(
        told(which.plugin_set(&args(&[("which", "a")])))
            .plugins
            .len(),
        1
    );
}
