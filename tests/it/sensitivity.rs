//! Labels of sensitive data, from the file to the zone that may hold them.

use weir_tests::{Ended, Scene, built};

/// Steps after one that lands `phi` in `raw`, which may hold it.
fn pipeline(steps: &str) -> String {
    format!(
        r#"
weir = 1
name = "labels"
[zone.raw]
sensitivity = ["phi", "pii"]
[zone.curated]
[zone.vault]
[connections.warehouse]
kind = "sqlite"
[plugins]
transform = {{ component = {:?} }}
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64 not null", ssn = {{ type = "string", sensitivity = "phi" }}, zip = {{ type = "string", sensitivity = ["pii", "phi"] }}, state = "string" }} }}
write = {{ table = "raw.patients" }}
{steps}
"#,
        built::guest("transform")
    )
}

const ROWS: &str = "id,ssn,zip,state\n1,S1,10001,NY\n2,S2,10002,NY\n3,S3,07001,NJ\n";

fn weir(scene: &Scene, arguments: &[&str]) -> Ended {
    let mut command = scene.weir(arguments);
    command
        .env("PII_KEY", "0123456789abcdef")
        .arg("--lake")
        .arg(scene.lake());
    Ended::from(command.output().unwrap())
}

fn plan(steps: &str) -> Ended {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    scene.file("pipeline.toml", pipeline(steps));
    weir(&scene, &["plan", "pipeline.toml"])
}

/// A step that reads `sql`, does `stages` and writes `curated.out`.
fn step(sql: &str, stages: &str) -> String {
    format!(
        "[[step]]\nname = \"out\"\nread = {{ sql = \"{sql}\" }}\n{stages}\n[[step.write]]\ntable = \"curated.out\"\n"
    )
}

const MASK: &str = r#"[[step.stage]]
mask = { ssn = { method = "null" }, zip = { method = "partial", keep = 2 } }
"#;

#[test]
fn a_sensitive_column_is_refused_where_it_may_not_be_held() {
    let all = "select * from raw.patients";
    plan(&step(all, "")).expect_code(2).says(&[
        "'ssn' is phi, 'zip' is phi, pii, which zone 'curated' may not hold",
        "mask it in a stage before, leave it out, or let it be held there: [zone.curated] sensitivity = [\"phi\", \"pii\"]",
    ]);
    plan(&step(all, MASK)).expect_code(0);
    plan(&step("select id, state from raw.patients", "")).expect_code(0);
    let half = "[[step.stage]]\nmask = { ssn = { method = \"null\" } }\n";
    plan(&step(all, half))
        .expect_code(2)
        .says(&["'zip' is phi, pii, which zone"]);
    let database = "[[step]]\nname = \"out\"\nread = { table = \"raw.patients\" }\nwrite = { connection = \"warehouse\", table = \"out\" }\n";
    plan(database).expect_code(2).says(&[
        "which connection 'warehouse' may not hold",
        "[connections.warehouse] sensitivity",
    ]);
    // A run stops at it too, with nothing written.
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    scene.file("pipeline.toml", pipeline(&step(all, "")));
    weir(&scene, &["run", "pipeline.toml"]).expect_code(2);
    assert!(!scene.lake().join("raw").exists());
}

#[test]
fn labels_go_through_queries() {
    for (sql, refused) in [
        ("select ssn as number from raw.patients", true),
        (
            "select upper(p.ssn) as u from raw.patients p where p.id > 1",
            true,
        ),
        (
            "select state, count(*) as n from raw.patients group by state",
            false,
        ),
        (
            "select state, count(distinct ssn) as n from raw.patients group by state",
            true,
        ),
        ("select id from raw.patients order by ssn limit 2", false),
        (
            "with p as (select id, zip z from raw.patients) select * from p",
            true,
        ),
        (
            "select id, state from raw.patients union all select id, ssn from raw.patients",
            true,
        ),
        (
            "select a.id, b.zip from raw.patients a join raw.patients b on a.id = b.id",
            true,
        ),
        (
            "select a.id from raw.patients a join raw.patients b on a.ssn = b.ssn",
            false,
        ),
        (
            "select id, (select max(ssn) from raw.patients) as m from raw.patients",
            true,
        ),
        (
            "select id, (select max(q.id) from raw.patients q where q.id = p.id) as m from raw.patients p",
            false,
        ),
        (
            "select id, ssn in (select ssn from raw.patients where id > 1) as i from raw.patients",
            true,
        ),
        (
            "select id, cast(row_number() over (partition by state order by id) as bigint) as r from raw.patients",
            false,
        ),
        (
            "select id, lag(ssn) over (order by id) as before from raw.patients",
            true,
        ),
        (
            "select distinct case when state = 'NY' then zip else '' end as c from raw.patients",
            true,
        ),
        (
            "select id from raw.patients where ssn in (select ssn from raw.patients)",
            false,
        ),
        ("select * from (values (1, 'a')) as t(id, letter)", false),
        (
            "select unnest(make_array(ssn)) as s from raw.patients",
            true,
        ),
    ] {
        let ended = plan(&step(sql, ""));
        let code = if refused { 2 } else { 0 };
        assert_eq!(ended.code, Some(code), "{sql}\n{}", ended.stderr);
        if refused {
            ended.says(&["which zone 'curated' may not hold"]);
        }
    }
    // A stage's query, after one that reads.
    let stage = "[[step.stage]]\nsql = \"select id, concat(ssn, '') as x from input\"\n";
    plan(&step("select * from raw.patients", stage))
        .expect_code(2)
        .says(&["'x' is phi, which zone"]);
}

#[test]
fn what_a_plugin_gives_is_as_sensitive_as_what_it_was_granted() {
    let plugin = |grant: &str| {
        format!(
            "[[step.stage]]\ntransform = \"transform\"\ngrant = {{ columns = {grant} }}\non_fail = \"drop\"\n"
        )
    };
    let sql = "select id, ssn, state from raw.patients";
    plan(&step(sql, &plugin("[\"id\", \"state\"]")))
        .expect_code(2)
        .says(&["error: 'ssn' is phi, which zone"]);
    plan(&step(sql, &plugin("[\"id\", \"ssn\"]")))
        .expect_code(2)
        .says(&["'id' is phi, 'ssn' is phi, which zone"]);
    let declassified = format!(
        "{}[[step.stage]]\ndeclassify = [\"id\", \"ssn\"]\n",
        plugin("[\"id\", \"ssn\"]")
    );
    plan(&step(sql, &declassified)).expect_code(0);
    let nothing = "[[step.stage]]\ndeclassify = [\"nobody\"]\n";
    plan(&step(sql, nothing))
        .expect_code(2)
        .says(&["there is no column 'nobody'"]);
    let masked = format!(
        "[[step.stage]]\nmask = {{ ssn = {{ method = \"hmac\", key = {{ env = \"PII_KEY\" }} }} }}\n{}",
        plugin("[\"id\", \"ssn\"]")
    );
    plan(&step(sql, &masked)).expect_code(0);
}

#[test]
fn quarantine_and_vaults_hold_no_more_than_their_zones() {
    let check = "[[step.stage]]\ncheck = { accepted = { state = [\"NY\"] } }\n";
    let all = "select * from raw.patients";
    // The rejected row is masked too, so that this may be.
    plan(&step(all, &format!("{check}{MASK}"))).expect_code(0);
    // Its columns leave by a query: nothing masks them in the rejected row.
    let leave = "[[step.stage]]\nsql = \"select id, state from input\"\n";
    plan(&step(all, &format!("{check}{leave}"))).expect_code(2).says(&[
        "'ssn' is phi, 'zip' is phi, pii, and rejected rows have it in quarantine, which zone 'curated' may not hold",
    ]);
    let dropped = check.replace("} }\n", "} }\non_fail = \"drop\"\n");
    plan(&step(all, &format!("{dropped}{leave}"))).expect_code(0);
    let token = "[[step.stage]]\nmask = { ssn = { method = \"token\", vault = \"vault.ids\" } }\n";
    plan(&step("select id, ssn from raw.patients", token))
        .expect_code(2)
        .says(&[
            "'ssn' is phi, which zone 'vault' of its vault may not hold",
            "[zone.vault] sensitivity = [\"phi\"]",
        ]);
}

/// Another pipeline reads the table: the labels are in it.
#[test]
fn labels_are_kept_with_the_table() {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    scene.file("pipeline.toml", pipeline(""));
    weir(&scene, &["run", "pipeline.toml"]).expect_code(0);
    scene.file(
        "other.toml",
        "weir = 1\nname = \"other\"\n[zone.raw]\n[zone.curated]\n[[step]]\nname = \"out\"\nread = { table = \"raw.patients\" }\nwrite = { table = \"curated.out\" }\n",
    );
    weir(&scene, &["plan", "other.toml"])
        .expect_code(2)
        .says(&["'ssn' is phi, 'zip' is phi, pii, which zone 'curated' may not hold"]);
    let other = std::fs::read_to_string(scene.path("other.toml")).unwrap();
    scene.file(
        "other.toml",
        other.replace(
            "[zone.curated]",
            "[zone.curated]\nsensitivity = [\"phi\", \"pii\"]",
        ),
    );
    weir(&scene, &["run", "other.toml"]).expect_code(0);
    assert_eq!(
        scene.sql_csv("select ssn from curated.out order by id")[1..],
        ["S1", "S2", "S3"]
    );
    // A table that is replaced has the labels of what replaces it.
    let file = pipeline("")
        .replace("sensitivity = \"phi\"", "nullable = true")
        .replace("sensitivity = [\"pii\", \"phi\"]", "nullable = true");
    scene.file("pipeline.toml", file);
    weir(&scene, &["run", "pipeline.toml"]).expect_code(0);
    scene.file("other.toml", other);
    weir(&scene, &["plan", "other.toml"]).expect_code(0);
}

/// What a table has of labels counts in a file that adds rows without any, and rows that have some give them to
/// the table.
#[test]
fn labels_of_a_table_are_seen_by_who_adds_to_it() {
    let scene = Scene::new();
    let write = |name: &str, column: &str, stage: &str, more: &str| {
        let text = format!(
            r#"
weir = 1
name = "{name}"
[zone.raw]
sensitivity = ["phi"]
[zone.curated]
[[step]]
name = "land"
read = {{ files = "in/{name}/*.csv", format = "csv", schema = {{ id = "int64", ssn = {column} }} }}
{stage}
[[step.write]]
table = "raw.patients"
mode = "append"
{more}
"#
        );
        scene.file(&format!("{name}.toml"), text);
        scene.file(&format!("in/{name}/1.csv"), "id,ssn\n1,123-45-6789\n");
    };
    let run = |name: &str| scene.run(&scene.path(&format!("{name}.toml")), &[]);
    let labelled = r#"{ type = "string", sensitivity = "phi" }"#;
    let publish = r#"
[[step]]
name = "publish"
read = { table = "raw.patients" }
write = { table = "curated.patients" }
"#;
    write("plain", r#""string""#, "", "");
    run("plain").expect_code(0);
    write("labelled", labelled, "", "");
    run("labelled").expect_code(0);
    // Another file, which masks what it adds, and reads what others have added.
    let mask = "[[step.stage]]\nmask = { ssn = { method = \"partial\", keep = 2 } }\n";
    write("masked", labelled, mask, publish);
    run("masked")
        .expect_code(2)
        .says(&["'ssn' is phi, which zone 'curated' may not hold"]);
}

#[test]
fn a_sensitive_column_is_no_cursor() {
    let scene = Scene::new();
    let step = |stage: &str| {
        format!(
            r#"
weir = 1
name = "chain"
[zone.raw]
sensitivity = ["phi"]
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64", born = {{ type = "date", sensitivity = "phi" }} }} }}
write = {{ table = "raw.people" }}
[[step]]
name = "new"
read = {{ table = "raw.people", incremental = {{ by = "cursor", column = "{stage}" }} }}
"#
        )
    };
    scene.file("in/1.csv", "id,born\n1,2000-01-01\n");
    let write = "[[step.write]]\ntable = \"raw.new\"\nmode = \"append\"\n";
    let run = |text: String| {
        scene.file("chain.toml", text);
        scene.run(&scene.path("chain.toml"), &[])
    };
    run(step("born") + write)
        .expect_code(2)
        .says(&["'born' cannot be a cursor: it is sensitive"]);
    let mask = "[[step.stage]]\nmask = { id = { method = \"null\" } }\n";
    run(step("id") + mask + write)
        .expect_code(2)
        .says(&["'id' cannot be a cursor: the step masks it"]);
    run(step("id") + write).expect_code(0);
}
