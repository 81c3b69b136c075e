//! The page of a pipeline's reports.

use std::path::{Path, PathBuf};

use weir_tests::{Ended, Scene};

/// Visits by state and day, of which some stand for few people; names are labelled.
fn pipeline(scene: &Scene, reports: &str) -> PathBuf {
    scene.file(
        "in/a.csv",
        "day,state,payer,cost,patients,name\n\
         2024-05-01,TX,A,1234567.50,900,Ann\n\
         2024-05-01,CA,B,71117.25,7,Bo\n\
         2024-05-02,TX,A,1400000.00,950,Cy\n\
         2024-05-02,CA,B,99123.00,4,<b>Di</b>\n\
         2024-05-02,NY,B,-5.00,800,Ed\n\
         2024-05-02,NY,C,oh,1,Fi\n",
    );
    scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "visits"
owner = "claims-data"
description = "What <visits> cost"
[params]
day = {{ type = "date", default = "2024-05-02" }}
[zone.raw]
sensitivity = ["pii"]
[[step]]
name = "land"
[step.read]
files = "in/*.csv"
format = "csv"
on_fail = "quarantine"
schema = {{ day = "date", state = "string", payer = "string", cost = "decimal(12,2)", patients = "int64", name = {{ type = "string", sensitivity = "pii" }} }}
[[step.write]]
table = "raw.visits"
{reports}
"#
        ),
    )
}

const REPORTS: &str = r#"
[[report]]
title = "In all"
chart = "number"
unit  = "$"
sql   = "select sum(cost) as all_costs from raw.visits where day <= $day"
[[report]]
title    = "By state"
chart    = "map"
unit     = "$"
y        = "cost"
suppress = { count = "patients" }
sql      = "select state, sum(cost) as cost, sum(patients) as patients from raw.visits where day = $day group by state"
[[report]]
title    = "By state, as bars"
chart    = "bars"
unit     = "$"
suppress = { count = "patients", below = 11 }
sql      = "select state, sum(cost) as cost, sum(patients) as patients from raw.visits where day = $day group by state order by cost"
[[report]]
title    = "By day"
chart    = "line"
x        = "day"
series   = "state"
sql      = { file = "days.sql" }
[[report]]
title    = "Rows"
chart    = "table"
description = "As they <came>"
suppress = { count = "patients" }
sql      = "select state, payer, patients, cost from raw.visits where day = $day order by state"
[[report]]
title    = "Aside"
chart    = "table"
sql      = "select _weir_rule as rule, count(*) as records from raw.visits__quarantine group by 1"
[[report]]
title    = "Steps"
chart    = "table"
sql      = "select step, accepted from weir.steps"
"#;

fn report(scene: &Scene, file: &Path, more: &[&str]) -> Ended {
    let (file, lake) = (file.to_str().unwrap(), scene.lake());
    let arguments: Vec<&str> = ["report", file, "--lake", lake.to_str().unwrap()]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    scene.call(arguments)
}

#[test]
fn a_page_shows_what_is_in_the_lake_and_hides_few_people() {
    let scene = Scene::new();
    scene.file(
        "days.sql",
        "select day, state, cast(sum(cost) as double) as cost from raw.visits where state <> 'CA' group by day, state order by day",
    );
    let file = pipeline(&scene, REPORTS);
    scene.run(&file, &[]).expect_code(3);
    let out = scene.path("page.html");
    report(&scene, &file, &["--out", out.to_str().unwrap()])
        .expect_code(0)
        .says(&["page.html: 7 reports"]);
    let page = std::fs::read_to_string(&out).unwrap();
    for text in [
        "<title>visits</title>",
        "What &lt;visits&gt; cost",
        "As they &lt;came&gt;",
        "answered for by <b>claims-data</b>",
        "<span>day <b>2024-05-02</b></span>",
        // All costs, of days that are shown or not.
        "$2,804,802.75",
        "all costs",
        "$1,400,000.00",
        "2 of 3 rows stand for fewer than 11 people",
        "bad_value",
        "2024-05-01",
        "<td>land</td>",
    ] {
        assert!(page.contains(text), "no {text} in\n{page}");
    }
    // CA stands for few people, and so NY, which would tell of CA beside the total, has no value either.
    for text in [
        "99,123", "99123", "99.1k", "71,117", "-$5", "<b>Di", "<script", "http:", "https:",
    ] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(text), "{text} in\n{page}");
    }
    let whole: Vec<&str> = page.matches("<svg").collect();
    assert_eq!(whole.len(), 3, "a map, bars and lines");

    // A run of some rows is not the one whose quality is shown.
    let file_name = file.to_str().unwrap();
    let mut some = scene.weir(["run", file_name, "--limit", "1", "--lake"]);
    Ended::from(some.arg(scene.lake()).output().unwrap()).expect_code(0);
    report(&scene, &file, &["--out", out.to_str().unwrap()]).expect_code(0);
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(
        page.contains("bad_value") && !page.contains("not of all"),
        "{page}"
    );
    scene.run(&file, &[]).expect_code(3);
    // Whoever makes the page anew keeps who may read it.
    let mode = |to: Option<u32>| {
        use std::os::unix::fs::PermissionsExt;
        if let Some(mode) = to {
            std::fs::set_permissions(&out, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::metadata(&out).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(None) & 0o600, 0o600);
    mode(Some(0o644));

    // Of a day without rows there is a page as well, and it says of which run it speaks.
    report(
        &scene,
        &file,
        &["--param", "day=2023-01-01", "--out", out.to_str().unwrap()],
    )
    .expect_code(0);
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(
        page.contains("No rows.") && page.contains("It had other parameters: day=2024-05-02"),
        "{page}"
    );
    assert_eq!(mode(None), 0o644);
}

#[test]
fn labelled_columns_are_shown_only_where_the_file_says_so() {
    let scene = Scene::new();
    let shows = |more: &str| {
        format!(
            "[[report]]\ntitle = \"Names\"\nchart = \"table\"\nsql = \"select upper(name) as who, patients from raw.visits\"\n{more}"
        )
    };
    let file = pipeline(&scene, &shows(""));
    let refused = [
        "report 'Names' shows column 'who', which is labelled pii",
        "sensitivity = [\"pii\"]",
    ];
    // Before there is a table, by what the step will write; nothing is run.
    scene.run(&file, &[]).expect_code(2).says(&refused);
    assert!(!scene.lake().join("raw").exists());
    let file = pipeline(&scene, &shows("sensitivity = \"pii\""));
    scene.run(&file, &[]).expect_code(3);
    let out = scene.path("page.html");
    report(&scene, &file, &["--out", out.to_str().unwrap()]).expect_code(0);
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(page.contains("&lt;B&gt;DI&lt;/B&gt;"), "{page}");
    // By the labels that the table keeps, whoever wrote it.
    std::fs::remove_file(&out).unwrap();
    let file = pipeline(&scene, &shows(""));
    report(&scene, &file, &["--out", out.to_str().unwrap()])
        .expect_code(2)
        .says(&refused);
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_shown_says_what_to_do() {
    let scene = Scene::new();
    let out = scene.path("page.html");
    let out = ["--out", out.to_str().unwrap()];
    let with = |entry: &str| pipeline(&scene, &format!("[[report]]\ntitle = \"R\"\n{entry}"));
    report(&scene, &pipeline(&scene, ""), &out)
        .expect_code(2)
        .says(&["has no [[report]]", "docs/pipelines.md"]);

    let file = with("chart = \"bars\"\nsql = \"select state, cost from raw.visits\"");
    report(&scene, &file, &out).expect_code(2).says(&[
        "report 'R' reads raw.visits, which is not in the lake",
        "run the pipeline first",
    ]);
    scene.run(&file, &[]).expect_code(3);
    for (entry, texts) in [
        (
            "chart = \"pie\"\nsql = \"select 1 as n\"",
            &["`chart` cannot be 'pie'", "it is one of"][..],
        ),
        (
            "chart = \"table\"\nx = \"state\"\nsql = \"select 1 as n\"",
            &["`x` does not belong to a table"],
        ),
        (
            "chart = \"map\"\ny = [\"a\", \"b\"]\nsql = \"select 1 as n\"",
            &["a map shows one column"],
        ),
        (
            "chart = \"number\"\nsuppress = { below = 3 }\nsql = \"select 1 as n\"",
            &["`suppress` needs `count`"],
        ),
        (
            "chart = \"bars\"\nsql = \"select staet from raw.visits\"",
            &["report 'R'", "staet"],
        ),
        (
            "chart = \"bars\"\nsql = \"delete from raw.visits\"",
            &["report 'R'", "only queries can be run here"],
        ),
        (
            "chart = \"bars\"\nsql = \"select state, payer from raw.visits\"",
            &["draws column 'payer', which is no number"],
        ),
        (
            "chart = \"bars\"\nsql = \"select state from raw.visits\"",
            &["has no column of values"],
        ),
        (
            "chart = \"bars\"\ny = \"costs\"\nsql = \"select state, cost from raw.visits\"",
            &["has no column 'costs'", "its query gives: state, cost"],
        ),
        (
            "chart = \"number\"\nsql = \"select cost from raw.visits\"",
            &["shows numbers of one row, and its query gives 5"],
        ),
        (
            "chart = \"map\"\nsql = \"select state, cost from raw.visits\"",
            &["has two rows for the state 'TX'", "group by the state"],
        ),
        (
            "chart = \"bars\"\nsql = \"select a, 1 as n from nowhere.b\"",
            &["there is no zone 'nowhere'"],
        ),
    ] {
        report(&scene, &with(entry), &out)
            .expect_code(2)
            .says(texts);
    }
    assert!(!scene.path("page.html").exists());
    let file = with(
        "chart = \"bars\"\nsql = \"select state, sum(cost) as cost from raw.visits group by state\"",
    );
    report(&scene, &file, &["--out", "/nowhere/at/all.html"])
        .expect_code(1)
        .says(&["cannot write '/nowhere/at/all.html'"]);
}

#[test]
fn a_plan_says_what_reports_read_and_which_tables_nobody_makes() {
    let scene = Scene::new();
    let file = pipeline(
        &scene,
        "[[report]]\ntitle = \"Of others\"\nchart = \"table\"\nsql = \"select * from raw.others\"\n",
    );
    let (file, lake) = (file.to_str().unwrap(), scene.lake());
    let plan = ["plan", file, "--lake", lake.to_str().unwrap()];
    scene.call(plan).expect_code(0).prints(&[
        "reports\n   Of others: table of raw.others\n",
        "raw.others is not in the lake and no step writes it",
    ]);
    let json = scene
        .call(plan.iter().chain(&["--output", "json"]))
        .expect_code(0)
        .json();
    assert_eq!(json["reports"][0]["missing"], "raw.others");
}
