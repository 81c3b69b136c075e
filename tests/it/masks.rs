//! Masks: what a stage makes of values, what quarantine and plugins see, and vaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use weir_tests::{Ended, Scene, built};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A pipeline of one step, which lands patients in `raw.patients`.
struct Patients<'a> {
    read: &'a str,
    stages: &'a str,
    write: &'a str,
    more: &'a str,
}

impl Default for Patients<'_> {
    fn default() -> Self {
        Patients {
            read: "",
            stages: MASKED,
            write: "mode = \"replace\"",
            more: "",
        }
    }
}

const MASKED: &str = r#"
[[step.stage]]
check = { range = { age = { max = 120 } } }

[[step.stage]]
mask = { name = { method = "hmac", key = { env = "PII_KEY" } }, ssn = { method = "token", vault = "vault.patients" }, born = { method = "year" }, phone = { method = "partial", keep = 3 }, note = { method = "null" } }
"#;

impl Patients<'_> {
    fn write(&self, scene: &Scene) {
        let guest = |name: &str| built::guest(name);
        let text = format!(
            r#"
weir = 1
name = "patients"
[zone.raw]
[zone.clean]
[zone.vault]
[plugins]
transform = {{ component = {:?} }}
check = {{ component = {:?} }}

[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64 not null", name = "string", ssn = "string", born = "date", phone = "string", note = "string", age = "int64" }}, {} }}
{}
[[step.write]]
table = "raw.patients"
{}
{}
"#,
            guest("transform"),
            guest("check"),
            self.read,
            self.stages,
            self.write,
            self.more
        );
        scene.file("pipeline.toml", text);
    }

    fn run(&self, scene: &Scene) -> Ended {
        self.write(scene);
        weir(scene, &["run", "pipeline.toml"])
    }
}

fn command(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.weir(arguments);
    command.env("PII_KEY", KEY).arg("--lake").arg(scene.lake());
    command
}

fn weir(scene: &Scene, arguments: &[&str]) -> Ended {
    Ended::from(command(scene, arguments).output().unwrap())
}

const HEADER: &str = "id,name,ssn,born,phone,note,age\n";
/// What must be in no file, whatever becomes of its row.
const SECRETS: [&str; 8] = [
    "Adalovelace",
    "900-11-0001",
    "1915-12-10",
    "5550101",
    "Benfranklin",
    "900-11-0002",
    "allergicto",
    "5550202",
];

fn rows() -> String {
    format!(
        "{HEADER}1,Adalovelace,900-11-0001,1915-12-10,5550101,allergicto,30\n\
         2,Benfranklin,900-11-0002,1915-12-10,5550202,allergicto,300\n\
         3,Adalovelace,900-11-0001,1915-12-10,5550101,,31\n\
         4,,,,,,32\n"
    )
}

/// All that is in the files of a lake but for those of vaults: bytes, and texts of Parquet files.
fn contents(scene: &Scene) -> String {
    fn walk(dir: &Path, found: &mut Vec<u8>, tables: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, tables);
                continue;
            }
            found.extend(fs::read(&path).unwrap());
            if path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            {
                tables.insert(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    let mut files = BTreeSet::new();
    for zone in ["raw", "clean", "_weir"] {
        if scene.lake().join(zone).is_dir() {
            walk(&scene.lake().join(zone), &mut found, &mut files);
        }
    }
    let mut text = String::from_utf8_lossy(&found).into_owned();
    for file in files {
        let file = fs::File::open(file).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&[batch]).unwrap();
            text.push_str(&shown.to_string());
        }
    }
    text
}

fn hides(scene: &Scene) {
    let text = contents(scene);
    let found: Vec<&str> = SECRETS
        .into_iter()
        .filter(|secret| text.contains(secret))
        .collect();
    assert!(found.is_empty(), "in the lake: {found:?}");
    assert!(!text.contains(KEY), "the key is in the lake");
}

/// HMAC-SHA-256 by another program.
fn openssl(text: &str) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", KEY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.rsplit(' ').next()?.trim().to_owned())
}

#[test]
fn values_are_masked_in_tables_and_in_quarantine() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    let ended = Patients::default().run(&scene).expect_code(3);
    ended.hides(&SECRETS).hides(&[KEY]);
    hides(&scene);

    let rows = scene.sql_csv("select born, phone, note from raw.patients order by id");
    assert_eq!(
        rows,
        ["born,phone,note", "1915,****101,", "1915,****101,", ",,"]
    );
    let codes = scene.sql_csv("select name, ssn from raw.patients order by id");
    assert_eq!(codes[1], codes[2], "one value has one code and one token");
    assert_eq!(codes[3], ",", "null stays null");
    let (code, token) = codes[1].split_once(',').unwrap();
    assert_eq!((code.len(), token.len()), (64, 32));
    if let Some(expected) = openssl("Adalovelace") {
        assert_eq!(code, expected);
    }

    // The rejected row is masked by the stage that it did not reach.
    let kept = "select born, phone, note, length(name), length(ssn), age, _weir_state_note from raw.patients__quarantine";
    assert_eq!(
        scene.sql_csv(kept)[1..],
        ["1915,****202,,64,32,300,\"masked: name, ssn, born, phone, note\""]
    );
    let stands_for =
        "select value from vault.patients v join raw.patients__quarantine q on v.token = q.ssn";
    assert_eq!(scene.sql_csv(stands_for)[1..], ["900-11-0002"]);
    assert_eq!(scene.count("vault.patients"), 2);

    // Again: the same codes and tokens, and nothing new in the vault.
    weir(&scene, &["run", "pipeline.toml"]).expect_code(3);
    assert_eq!(
        scene.sql_csv("select name, ssn from raw.patients order by id"),
        codes
    );
    assert_eq!(scene.count("vault.patients"), 2);
    weir(&scene, &["lake", "check", "--deep"]).expect_code(0);
    weir(&scene, &["lake", "vacuum"]).expect_code(0);

    // What was masked cannot go through the step again.
    weir(&scene, &["replay", "pipeline.toml", "--step", "land"])
        .expect_code(2)
        .says(&[
            "1 of the rows have been masked in quarantine",
            "run the step again",
        ]);
}

#[test]
fn the_plan_shows_masks_and_no_key() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    Patients::default().write(&scene);
    let planned = weir(&scene, &["plan", "pipeline.toml"])
        .expect_code(0)
        .hides(&[KEY]);
    let line = "masks name (hmac), ssn (token), born (year), phone (partial), note (null)";
    assert!(planned.stdout.contains(line), "{}", planned.stdout);
    let mut short = scene.weir(["plan", "pipeline.toml"]);
    short.env("PII_KEY", "fifteen bytes !");
    Ended::from(short.output().unwrap())
        .expect_code(2)
        .says(&[
            "'name' cannot be masked: the key has fewer than 16 bytes",
            "openssl rand",
        ])
        .hides(&["fifteen"]);
    let mut none = scene.weir(["plan", "pipeline.toml"]);
    none.env_remove("PII_KEY");
    Ended::from(none.output().unwrap())
        .expect_code(2)
        .says(&["the variable PII_KEY is not set"]);
}

#[test]
fn a_plugin_after_a_mask_sees_what_the_mask_has_made() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    let stages = r#"
[[step.stage]]
mask = { name = { method = "hmac", key = { env = "PII_KEY" } }, ssn = { method = "null" }, born = { method = "null" }, phone = { method = "null" }, note = { method = "null" } }
[[step.stage]]
transform = "transform"
grant = { columns = ["id", "name", "ssn"] }
config = { mode = "origin" }
"#;
    let patients = Patients {
        stages,
        ..Patients::default()
    };
    patients.run(&scene).expect_code(0);
    // The guest gives back what it was given.
    let names =
        scene.sql_csv("select distinct length(name) from raw.patients where name is not null");
    assert_eq!(names[1..], ["64"]);
    hides(&scene);
}

#[test]
fn quarantine_has_no_word_of_a_plugin_before_a_mask() {
    let scene = Scene::new();
    scene.file("in/1.csv", format!("{HEADER}1,Adalovelace,,,,,-1\n"));
    let stages = |mask: &str| {
        format!(
            "[[step.stage]]\nplugin_check = \"check\"\ngrant = {{ columns = [\"age\"] }}\n{mask}"
        )
    };
    let mask =
        "[[step.stage]]\nmask = { name = { method = \"null\" }, age = { method = \"null\" } }\n";
    for (mask, message) in [
        ("", "it is negative"),
        (mask, "The number is not negative."),
    ] {
        let stages = stages(mask);
        let patients = Patients {
            stages: &stages,
            ..Patients::default()
        };
        patients.run(&scene).expect_code(3);
        let said = scene.value("select _weir_message from raw.patients__quarantine");
        assert_eq!(said, message);
    }
    assert_eq!(
        scene.value(
            "select count(*) from raw.patients__quarantine where age is null and name is null"
        ),
        "1"
    );
}

#[test]
fn no_text_of_bad_records_is_kept_beside_masks() {
    let scene = Scene::new();
    scene.file("in/1.csv", format!("{}5,Benfranklin\n", rows()));
    let patients = Patients {
        read: "on_fail = \"quarantine\"",
        ..Patients::default()
    };
    patients.run(&scene).expect_code(3);
    let bad = "select _weir_raw is null from raw.patients__quarantine where _weir_stage = 'read'";
    assert_eq!(scene.sql_csv(bad)[1..], ["true"]);
    hides(&scene);
}

#[test]
fn held_rows_of_a_step_that_fails_are_masked() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    let stages = MASKED.replace("max = 120 } } }", "max = 120 } } }\nfail_above = 0");
    let patients = Patients {
        stages: &stages,
        ..Patients::default()
    };
    patients.run(&scene).expect_code(1);
    let held = weir(&scene, &["quarantine", "held", "--output", "json"])
        .expect_code(0)
        .hides(&SECRETS);
    assert!(held.stdout.contains("****202"), "{}", held.stdout);
    hides(&scene);
    // A token that people are shown is one that the vault knows.
    let known = scene.sql_csv("select token from vault.patients");
    let tokens: Vec<&str> = known[1..]
        .iter()
        .map(String::as_str)
        .filter(|token| held.stdout.contains(token))
        .collect();
    assert!(!tokens.is_empty(), "{}", held.stdout);
}

/// A query stage renames the column, and another joins it with a second: rows that were rejected
/// before it are masked all the same.
#[test]
fn columns_are_followed_through_queries() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    let stages = r#"
[[step.stage]]
check = { range = { age = { max = 120 } } }
[[step.stage]]
sql = "select id, name || ' ' || ssn as who, phone as number, age from input"
[[step.stage]]
mask = { who = { method = "hmac", key = { env = "PII_KEY" } }, number = { method = "partial", keep = 3 } }
"#;
    let patients = Patients {
        stages,
        ..Patients::default()
    };
    patients.run(&scene).expect_code(3);
    let kept = "select name is null, ssn is null, phone, note from raw.patients__quarantine";
    assert_eq!(scene.sql_csv(kept)[1..], ["true,true,****202,allergicto"]);
}

#[test]
fn a_mask_does_not_change_what_a_check_before_it_judges() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    let stages = "[[step.stage]]\ncheck = { unique = [\"ssn\"] }\n[[step.stage]]\nmask = { ssn = { method = \"null\" } }\n";
    let patients = Patients {
        stages,
        ..Patients::default()
    };
    patients.run(&scene).expect_code(2).says(&[
        "'unique(ssn)' is judged over the rows that the step writes",
        "put the check after the mask",
    ]);
    // After the mask it is judged over what the mask makes; the rows are run twice, with one set of tokens.
    let stages = "[[step.stage]]\nmask = { ssn = { method = \"token\", vault = \"vault.patients\" } }\n[[step.stage]]\ncheck = { unique = [\"ssn\"] }\n";
    let patients = Patients {
        stages,
        ..Patients::default()
    };
    patients.run(&scene).expect_code(3);
    let kept = "select count(*), count(distinct ssn) from raw.patients__quarantine";
    assert_eq!(scene.sql_csv(kept)[1..], ["2,1"]);
    let known =
        "select count(*) from raw.patients__quarantine q join vault.patients v on q.ssn = v.token";
    assert_eq!(scene.value(known), "2");
}

#[test]
fn what_cannot_be_masked_so_is_refused() {
    let scene = Scene::new();
    scene.file("in/1.csv", rows());
    for (mask, why) in [
        (
            "name = { method = \"year\" }",
            "'name' cannot be masked so: it is string, not a date or timestamp",
        ),
        (
            "born = { method = \"partial\", keep = 2 }",
            "'born' cannot be masked so: it is date, not a text or whole number",
        ),
        ("nam = { method = \"null\" }", "there is no column 'nam'"),
        (
            "name = { method = \"token\", vault = \"raw.names\" }",
            "zone 'raw' has a vault, and nothing else may be written there",
        ),
    ] {
        let stages = format!("[[step.stage]]\nmask = {{ {mask} }}\n");
        let patients = Patients {
            stages: &stages,
            ..Patients::default()
        };
        patients.run(&scene).expect_code(2).says(&[why]);
    }
    let more = r#"
[[step]]
name = "look"
read = { sql = "select p.id, v.value from raw.patients p join vault.patients v on v.token = p.ssn" }
write = { table = "clean.originals" }
"#;
    let patients = Patients {
        more,
        ..Patients::default()
    };
    patients
        .run(&scene)
        .expect_code(2)
        .says(&["step 'look' reads vault.patients, in the zone of a vault"]);
    assert!(!scene.lake().join("raw").exists());
}

/// Many values, by several partitions.
fn many(scene: &Scene, first: u32, count: u32) {
    for file in 0..4 {
        let mut text = HEADER.to_owned();
        for id in (first..first + count).filter(|id| id % 4 == file) {
            text.push_str(&format!("{id},n,S{id:06},1950-01-01,1,x,5\n"));
        }
        scene.file(&format!("in/{first}-{file}.csv"), text);
    }
}

/// Every token that a table has is the vault's, and each value has one.
fn vault_is_sound(scene: &Scene, tables: &[&str]) {
    let twice = "select count(*) from (select value from vault.patients group by value having count(*) > 1)";
    assert_eq!(scene.value(twice), "0", "a value has two tokens");
    for table in tables {
        let unknown = format!(
            "select count(*) from {table} p left join vault.patients v on p.ssn = v.token where v.value is null or v.value <> concat('S', lpad(cast(p.id as varchar), 6, '0'))"
        );
        assert_eq!(scene.value(&unknown), "0", "{table} has tokens of nobody");
    }
}

const TOKENS: &str =
    "[[step.stage]]\nmask = { ssn = { method = \"token\", vault = \"vault.patients\" } }\n";

#[test]
fn runs_and_steps_at_once_agree_on_tokens() {
    let scene = Scene::new();
    many(&scene, 0, 2_000);
    // Two steps of each run, and two pipelines.
    let more = r#"
[[step]]
name = "again"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64 not null", name = "string", ssn = "string", born = "date", phone = "string", note = "string", age = "int64" } }
[[step.stage]]
mask = { ssn = { method = "token", vault = "vault.patients" } }
[[step.write]]
table = "clean.again"
"#;
    let patients = Patients {
        stages: TOKENS,
        more,
        ..Patients::default()
    };
    patients.write(&scene);
    let text = fs::read_to_string(scene.path("pipeline.toml")).unwrap();
    let text = text
        .replace("name = \"patients\"", "name = \"others\"")
        .replace("raw.patients", "raw.others")
        .replace("clean.again", "clean.others");
    scene.file("others.toml", text);
    let files = ["pipeline.toml", "others.toml"];
    let running = files.map(|file| scene.start(command(&scene, &["run", file])));
    for (running, file) in running.into_iter().zip(files) {
        if running.end().expect_code_of(&[0, 75]).code == Some(75) {
            weir(&scene, &["run", file]).expect_code(0);
        }
    }
    let tables = ["raw.patients", "raw.others", "clean.again", "clean.others"];
    for table in tables {
        assert_eq!(scene.count(table), 2_000, "{table}");
    }
    vault_is_sound(&scene, &tables);
    assert_eq!(scene.count("vault.patients"), 2_000);
}

#[test]
fn a_run_that_is_killed_leaves_one_token_for_each_value() {
    let scene = Scene::new();
    let patients = Patients {
        stages: TOKENS,
        write: "mode = \"append\"",
        ..Patients::default()
    };
    patients.write(&scene);
    // How long a run takes, machines differ in: it is killed at so many parts of that.
    many(&scene, 0, 500);
    let began = Instant::now();
    weir(&scene, &["run", "pipeline.toml"]).expect_code(0);
    let whole = began.elapsed();
    let mut killed = 0;
    for round in 1..10 {
        many(&scene, round * 500, 500);
        let mut child = command(&scene, &["run", "pipeline.toml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * round / 11);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    weir(&scene, &["run", "pipeline.toml"]).expect_code(0);
    assert!(killed > 2, "runs end before they can be killed");
    let ids: BTreeMap<String, ()> = scene.sql_csv("select id from raw.patients")[1..]
        .iter()
        .map(|id| (id.clone(), ()))
        .collect();
    assert_eq!((ids.len(), scene.count("raw.patients")), (5_000, 5_000));
    vault_is_sound(&scene, &["raw.patients"]);
}
