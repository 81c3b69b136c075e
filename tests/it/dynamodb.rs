//! Items of DynamoDB: from a table in segments, from an export, as columns and whole, and what is no item.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use weir_tests::{DYNAMODB_REGION, DynamoDb, Ended, Scene};

/// Treatments as the items of a table, nested and of several types.
fn items(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| {
            let mut item = json!({
                "id": {"S": format!("t-{n:04}")},
                "treatment": {"M": {
                    "cost": {"N": format!("{n}.25")},
                    "start": {"S": format!("2024-01-{:02}", n % 28 + 1)},
                    "done": {"BOOL": n % 2 == 0},
                }},
                "tags": {"L": [{"S": "a"}, {"S": "ö😀"}]},
                "size": {"N": n.to_string()},
            });
            if n % 3 == 0 {
                item["note"] = json!({"NULL": true});
            }
            item
        })
        .collect()
}

const SCHEMA: &str = r#"{ id = "string not null", treatment = "struct<cost: decimal(10,2), start: date, done: bool>", tags = "list<string>", units = { type = "int64", source = "size" }, note = "string" }"#;

struct Clinic {
    scene: Scene,
    server: DynamoDb,
}

impl Clinic {
    fn new(items: &[Value]) -> Clinic {
        let server = DynamoDb::start();
        server.call(
            "CreateTable",
            &json!({
                "TableName": "treatments",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            }),
        );
        server.put("treatments", items);
        Clinic {
            scene: Scene::new(),
            server,
        }
    }

    fn pipeline(&self, read: &str) {
        self.scene.file(
            "pipeline.toml",
            format!(
                r#"
weir = 1
name = "clinic"
[zone.bronze]
[connections.clinic]
kind = "dynamodb"
region = "{DYNAMODB_REGION}"
endpoint = "${{env.CLINIC_ENDPOINT}}"
access_key_id = {{ env = "CLINIC_KEY" }}
secret_access_key = {{ env = "CLINIC_SECRET" }}
[[step]]
name = "bronze"
read = {{ {read} }}
write = {{ table = "bronze.treatments" }}
"#
            ),
        );
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = match arguments {
            ["plan"] => {
                let mut command = self.scene.weir(["plan"]);
                command
                    .arg(self.scene.path("pipeline.toml"))
                    .arg("--lake")
                    .arg(self.scene.lake());
                command
            }
            _ => self
                .scene
                .run_command(&self.scene.path("pipeline.toml"), &[]),
        };
        command
            .env("CLINIC_ENDPOINT", self.server.url())
            .env("CLINIC_KEY", "key-canary")
            .env("CLINIC_SECRET", "secret-canary");
        Ended::from(command.output().unwrap())
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        self.scene.sql_csv(sql)[1..].to_vec()
    }
}

/// What both a table and an export of it give.
fn expect_treatments(clinic: &Clinic, count: usize) {
    assert_eq!(
        clinic.rows("select count(*), count(distinct id), sum(units), sum(treatment['cost']) from bronze.treatments"),
        [format!(
            "{count},{count},{},{}.{:02}",
            count * (count - 1) / 2,
            count * (count - 1) / 2 + count * 25 / 100,
            count * 25 % 100
        )]
    );
    assert_eq!(
        clinic.rows("select treatment['start'], treatment['done'], tags[2], note is null from bronze.treatments where id = 't-0007'"),
        ["2024-01-08,false,ö😀,true"]
    );
}

#[test]
fn a_table_is_read_in_segments_and_an_export_of_it_likewise() {
    let all = items(700);
    let clinic = Clinic::new(&all);
    clinic.pipeline(&format!(
        "connection = \"clinic\", table = \"treatments\", segments = 5, schema = {SCHEMA}"
    ));
    let plan = clinic.run(&["plan"]).expect_code(0);
    assert!(
        plan.stdout.contains("clinic:treatments (5 segments)"),
        "{}",
        plan.stdout
    );
    clinic.run(&[]).expect_code(0);
    expect_treatments(&clinic, 700);
    // Read again, it takes the place of what was read before.
    let ended = clinic.run(&[]).expect_code(0);
    assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    expect_treatments(&clinic, 700);

    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    for item in &all {
        writeln!(file, "{}", json!({ "Item": item })).unwrap();
    }
    clinic
        .scene
        .file("export/data/a.json.gz", file.finish().unwrap());
    clinic.pipeline(&format!(
        "files = \"export/data/*.json.gz\", format = \"dynamodb-json\", schema = {SCHEMA}"
    ));
    clinic.run(&[]).expect_code(0);
    expect_treatments(&clinic, 700);
}

#[test]
fn items_are_kept_whole_as_json_text() {
    let all = items(30);
    let clinic = Clinic::new(&all);
    clinic.pipeline(
        "connection = \"clinic\", table = \"treatments\", item_column = \"item\", read_units = 1000, consistent = true",
    );
    clinic.run(&[]).expect_code(0);
    let first = || clinic.rows("select item from bronze.treatments where item like '%t-0003%'");
    let from_table = first();
    assert_eq!(
        from_table,
        [
            r#""{""id"":""t-0003"",""note"":null,""size"":3,""tags"":[""a"",""ö😀""],""treatment"":{""cost"":3.25,""done"":false,""start"":""2024-01-04""}}""#
        ]
    );
    let lines: String = all
        .iter()
        .map(|item| format!("{}\n", json!({ "Item": item })))
        .collect();
    clinic.scene.file("export/a.json", lines);
    clinic
        .pipeline("files = \"export/*.json\", format = \"dynamodb-json\", item_column = \"item\"");
    clinic.run(&[]).expect_code(0);
    assert_eq!(first(), from_table);
    assert_eq!(
        clinic.rows("select count(*) from bronze.treatments"),
        ["30"]
    );
}

/// What does not fit goes to quarantine, with its place; strict reads stop there.
#[test]
fn bad_items_are_rejected_with_their_place() {
    let mut all = items(20);
    all[4]["size"] = json!({"S": "many-canary"});
    let clinic = Clinic::new(&all);
    let read =
        format!("connection = \"clinic\", table = \"treatments\", segments = 1, schema = {SCHEMA}");
    clinic.pipeline(&read);
    let failed = clinic.run(&[]).expect_code(1);
    assert!(
        failed
            .stderr
            .contains("dynamodb://clinic/treatments/segment-1-of-1"),
        "{}",
        failed.stderr
    );
    assert!(!failed.stderr.contains("canary"), "{}", failed.stderr);
    clinic.pipeline(&format!("{read}, on_fail = \"quarantine\""));
    clinic.run(&[]).expect_code(3);
    assert_eq!(
        clinic.rows("select count(*) from bronze.treatments"),
        ["19"]
    );
    assert_eq!(
        clinic.rows("select _weir_rule, _weir_file from bronze.treatments__quarantine"),
        ["bad_value,dynamodb://clinic/treatments/segment-1-of-1"]
    );

    let lines = [
        json!({ "Item": all[0] }).to_string(),
        "not json".to_owned(),
        json!({ "Item": {"id": {"X": "1"}} }).to_string(),
        json!({ "Keys": {"id": {"S": "1"}}, "NewImage": all[1] }).to_string(),
        json!({ "Item": all[2] }).to_string(),
    ];
    clinic.scene.file("export/a.json", lines.join("\n"));
    let read = format!("files = \"export/*.json\", format = \"dynamodb-json\", schema = {SCHEMA}");
    clinic.pipeline(&read);
    let failed = clinic.run(&[]).expect_code(1);
    assert!(
        failed.stderr.contains("a.json: line 2: "),
        "{}",
        failed.stderr
    );
    clinic.pipeline(&format!("{read}, on_fail = \"quarantine\""));
    clinic.run(&[]).expect_code(3);
    assert_eq!(
        clinic.rows("select id from bronze.treatments order by id"),
        ["t-0000", "t-0002"]
    );
    let told = clinic.rows("select _weir_rule, _weir_message from bronze.treatments__quarantine order by _weir_ordinal");
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, line) in told.iter().zip(2..) {
        assert!(
            told.starts_with("bad_json,") && told.contains(&format!("line {line}: ")),
            "{told}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_before_anything_is_done() {
    let clinic = Clinic::new(&items(1));
    let cases = [
        (
            "connection = \"clinic\", table = \"nowhere\", item_column = \"item\"",
            1,
            "there is no table 'nowhere'",
        ),
        (
            "connection = \"clinic\", table = \"treatments\"",
            2,
            "item_column = \"item\"",
        ),
        (
            "connection = \"clinic\", table = \"treatments\", item_column = \"item\", format = \"csv\"",
            2,
            "is read whole",
        ),
        (
            "connection = \"clinic\", table = \"treatments\", item_column = \"item\", incremental = { by = \"version\" }",
            2,
            "read that incrementally",
        ),
        ("table = \"clinic.treatments\"", 2, "is a table of DynamoDB"),
        (
            "sql = \"select * from clinic.treatments\"",
            2,
            "which queries do not see",
        ),
        (
            "files = \"*.json\", format = \"json-lines\", item_column = \"x\", schema = { a = \"string\" }",
            2,
            "belongs to items of DynamoDB",
        ),
    ];
    for (read, code, what) in cases {
        clinic.pipeline(read);
        let refused = clinic.run(&["plan"]).expect_code(code);
        assert!(refused.stderr.contains(what), "{read}: {}", refused.stderr);
    }
    // A table of it cannot be written.
    let text = std::fs::read_to_string(clinic.scene.path("pipeline.toml")).unwrap();
    let text = text.replace(
        "write = { table = \"bronze.treatments\" }",
        "write = { connection = \"clinic\", table = \"out\" }",
    );
    clinic.scene.file("pipeline.toml", text);
    let refused = clinic.run(&["plan"]).expect_code(2);
    assert!(
        refused.stderr.contains("which is only read"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_server_that_is_not_there_is_told_and_worth_a_retry() {
    let clinic = Clinic::new(&items(1));
    clinic.pipeline("connection = \"clinic\", table = \"treatments\", item_column = \"item\"");
    let text = std::fs::read_to_string(clinic.scene.path("pipeline.toml")).unwrap();
    clinic.scene.file(
        "pipeline.toml",
        text.replace("${env.CLINIC_ENDPOINT}", "http://127.0.0.1:1"),
    );
    let failed = clinic.run(&["plan"]).expect_code(75);
    assert!(
        failed.stderr.contains("cannot reach DynamoDB"),
        "{}",
        failed.stderr
    );
    assert!(!failed.stderr.contains("canary"), "{}", failed.stderr);
}
