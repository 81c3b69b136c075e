//! Lakes and input in an object store, by its own protocol.

use weir_s3::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use weir_tests::azurite::{self, ACCOUNT, Azurite, CONTAINER};
use weir_tests::{Ended, Scene};

use crate::visits::Visits;

/// What a pipeline file says of the server.
fn settings(server: &Server) -> String {
    format!(
        r#"
[store."s3://{BUCKET}"]
endpoint = "{}"
allow_http = true
region = "us-east-1"
access_key_id = "{ACCESS_KEY}"
secret_access_key = {{ env = "LAKE_SECRET" }}
"#,
        server.endpoint()
    )
}

/// A command with the server in its environment.
fn call(scene: &Scene, server: &Server, arguments: &[&str]) -> Ended {
    let mut command = scene.weir(arguments);
    command.envs(server.environment());
    command.output().unwrap().into()
}

#[test]
fn a_lake_in_s3_is_as_good_as_one_on_the_disk() {
    let server = Server::start();
    let scene = Scene::new();
    let lake = format!("s3://{BUCKET}/lakes/one");
    // Input from the same store, and from the disk in a second run.
    let landing = server.bucket().join("landing");
    std::fs::create_dir_all(&landing).unwrap();
    std::fs::write(landing.join("1.csv"), Visits::rows(0..1000)).unwrap();
    let more = settings(&server);
    let visits = Visits {
        mode: "append",
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 1989 } } }\n",
        more: &more,
        ..Visits::default()
    };
    let run = |landing: &str| {
        let mut command = scene.weir(["run"]);
        command
            .arg(visits.write(&scene))
            .args(["--lake", &lake, "--param", &format!("landing={landing}")])
            .args(["--log", "trace"])
            .env("LAKE_SECRET", SECRET_KEY);
        Ended::from(command.output().unwrap()).hides(&[SECRET_KEY])
    };
    let in_store = format!("s3://{BUCKET}/landing");
    run(&in_store).expect_code(0);
    // The same again is nothing; what is new is added.
    run(&in_store).expect_code(0);
    scene.file("in/2.csv", Visits::rows(1000..2000));
    run("in").expect_code(3);

    let query = |sql: &str| {
        let arguments = ["sql", sql, "--lake", &lake, "--output", "csv"];
        let ended = call(&scene, &server, &arguments).expect_code(0);
        ended.stdout.lines().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(query("select count(*) from raw.visits"), "1990");
    assert_eq!(query("select count(distinct id) from raw.visits"), "1990");
    assert_eq!(query("select count(*) from raw.visits__quarantine"), "10");
    let record = call(
        &scene,
        &server,
        &["show", "latest", "--lake", &lake, "--output", "json"],
    );
    let record = record.expect_code(0).json();
    assert_eq!(record["steps"][0]["counts"]["read"], 1000);
    assert!(!record.to_string().contains(SECRET_KEY));
    // It is all in the bucket, and nothing of it on the disk.
    assert!(
        server
            .bucket()
            .join("lakes/one/raw/visits/_delta_log")
            .is_dir()
    );
    assert!(!scene.lake().exists() && !scene.path("s3:").exists());
}

/// Where a store tells files apart by what is in them, a file that is put back is the file that was read first. (This
/// server lists sizes and no tags.)
#[test]
fn a_file_that_is_what_it_was_before_is_read_once_more() {
    let server = Server::start();
    let scene = Scene::new();
    let landing = server.bucket().join("landing");
    std::fs::create_dir_all(&landing).unwrap();
    let file = scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "merged"
[zone.raw]
[[step]]
name = "land"
read = {{ files = "s3://{BUCKET}/landing/*.csv", format = "csv", schema = {{ id = "int64", state = "string" }} }}
write = {{ table = "raw.visits", mode = "merge", key = "id" }}
"#
        ),
    );
    for state in ["NY", "Ohio", "NY", "Ohio"] {
        std::fs::write(landing.join("1.csv"), format!("id,state\n1,{state}\n")).unwrap();
        for status in ["succeeded", "up-to-date"] {
            let mut command = scene.run_command(&file, &[]);
            command.envs(server.environment());
            Ended::from(command.output().unwrap()).expect_code(0);
            let step = &scene.latest()["steps"][0];
            assert_eq!(step["status"], status, "{state}");
            assert_eq!(scene.value("select state from raw.visits"), state);
        }
    }
}

#[test]
fn a_lake_in_azure_is_as_good_as_one_on_the_disk() {
    let server = Azurite::start();
    let scene = Scene::new();
    let lake = format!("az://{CONTAINER}/lakes/one");
    let more = format!(
        r#"
[store."az://{CONTAINER}"]
endpoint = "{}"
allow_http = true
account_name = "{ACCOUNT}"
access_key = {{ env = "LAKE_SECRET" }}
"#,
        server.endpoint()
    );
    let visits = Visits {
        mode: "append",
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 1989 } } }\n",
        more: &more,
        ..Visits::default()
    };
    let run = || {
        let mut command = scene.weir(["run"]);
        command
            .arg(visits.write(&scene))
            .args(["--lake", &lake, "--param", "landing=in"])
            .env("LAKE_SECRET", azurite::ACCESS_KEY);
        Ended::from(command.output().unwrap()).hides(&[azurite::ACCESS_KEY])
    };
    scene.file("in/1.csv", Visits::rows(0..1000));
    run().expect_code(0);
    // The same again is nothing; what is new is added.
    run().expect_code(0);
    scene.file("in/2.csv", Visits::rows(1000..2000));
    run().expect_code(3);
    let weir = |arguments: &[&str]| {
        let mut command = scene.weir(arguments);
        command
            .args(["--lake", &lake])
            .env("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
            .env("AZURE_STORAGE_ACCOUNT_KEY", azurite::ACCESS_KEY)
            .env("AZURE_STORAGE_ENDPOINT", server.endpoint())
            .env("AZURE_ALLOW_HTTP", "true");
        Ended::from(command.output().unwrap()).expect_code(0)
    };
    let query = |sql: &str| {
        let ended = weir(&["sql", sql, "--output", "csv"]);
        ended.stdout.lines().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(query("select count(*) from raw.visits"), "1990");
    assert_eq!(query("select count(distinct id) from raw.visits"), "1990");
    assert_eq!(query("select count(*) from raw.visits__quarantine"), "10");
    weir(&["lake", "check"]);
    assert!(!scene.lake().exists() && !scene.path("az:").exists());
}

#[test]
fn a_store_that_refuses_says_so() {
    let server = Server::start();
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    let more = settings(&server);
    let pipeline = Visits {
        more: &more,
        ..Visits::default()
    }
    .write(&scene);
    let run = |lake: &str, secret: Option<&str>| {
        let mut command = scene.weir(["run"]);
        command
            .arg(&pipeline)
            .args(["--lake", lake, "--param", "landing=in"]);
        if let Some(secret) = secret {
            command.env("LAKE_SECRET", secret);
        }
        Ended::from(command.output().unwrap())
    };
    let lake = format!("s3://{BUCKET}/lake");
    run(&lake, None)
        .expect_code(2)
        .says(&["LAKE_SECRET is not set", "hint: "]);
    run(&lake, Some("another"))
        .expect_code_of(&[1, 75])
        .says(&["hint: "])
        .hides(&["another"]);
    // With the right one it is written.
    run(&lake, Some(SECRET_KEY)).expect_code(0);
}
