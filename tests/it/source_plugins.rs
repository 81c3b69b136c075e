//! Streams that a plugin reads over HTTP: what is new each time, what stops half-way, and what may not be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weir_tests::{Answered, Asked, Ended, Scene, Web, built};

/// Numbered records, of which a server has so many.
fn records(numbers: impl IntoIterator<Item = u64>) -> Vec<Value> {
    numbers
        .into_iter()
        .map(|id| json!({ "id": id, "name": format!("n{id}") }))
        .collect()
}

/// The page that a request asks for, of two records each.
fn page(asked: &Asked, of: u64) -> Answered {
    let page: u64 = asked.parameter("page").unwrap().parse().unwrap();
    let first = (page - 1) * 2;
    let items = records(first.min(of)..(first + 2).min(of));
    Answered::body(json!({ "items": items }).to_string())
}

struct Pipeline<'a> {
    web: &'a Web,
    /// More keys of `read`.
    read: &'a str,
    /// More keys of the grant's place.
    place: &'a str,
    mode: &'a str,
}

impl Pipeline<'_> {
    fn run(&self, scene: &Scene) -> Ended {
        self.call(scene, &["run"])
    }

    fn call(&self, scene: &Scene, command: &[&str]) -> Ended {
        let url = self.web.url();
        let (read, place, mode) = (self.read, self.place, self.mode);
        let file = scene.file(
            "pipeline.toml",
            format!(
                r#"
weir = 1
name = "api"
[zone.raw]
[plugins]
api = {{ component = "{}" }}
[[step]]
name = "load"
[step.read]
source = "api"
stream = "people"
{read}
[step.read.config.streams.people]
url = "{url}/people"
records = "items"
key = ["id"]
paging = {{ by = "page", parameter = "page", size = 2 }}
[step.read.config.streams.people.columns]
id = {{ path = "id", type = "int64", required = true }}
name = "name"
[step.read.grant]
http = [{{ url = "{url}/people", private = true{place} }}]
[[step.write]]
table = "raw.people"
mode = "{mode}"
"#,
                built::plugin("http_json").display(),
            ),
        );
        let lake = scene.lake();
        let mut arguments: Vec<&std::ffi::OsStr> = command.iter().map(AsRef::as_ref).collect();
        arguments.push(file.as_os_str());
        arguments.push("--lake".as_ref());
        arguments.push(lake.as_os_str());
        scene.call(arguments)
    }
}

fn appending<'a>(web: &'a Web) -> Pipeline<'a> {
    Pipeline {
        web,
        read: "",
        place: "",
        mode: "append",
    }
}

fn ids(scene: &Scene) -> Vec<String> {
    scene.sql_csv("select id from raw.people order by id")[1..].to_vec()
}

#[test]
fn each_run_adds_what_is_new() {
    let scene = Scene::new();
    let there = Arc::new(AtomicUsize::new(5));
    let count = Arc::clone(&there);
    let web = Web::start(move |_, asked| page(asked, count.load(Ordering::SeqCst) as u64));
    let pipeline = appending(&web);
    pipeline.run(&scene).expect_code(0);
    assert_eq!(ids(&scene), ["0", "1", "2", "3", "4"]);
    let record = scene.latest();
    let plugin = &record["steps"][0]["plugins"][0];
    assert_eq!(plugin["plugin"], "api");
    let totals = &plugin["requests"]["totals"];
    assert_eq!(totals[0]["requests"], 3, "{totals}");
    assert_eq!(totals[0]["status"], 200);
    assert_eq!(plugin["requests"]["requests"][0]["path"], "/people");
    // Nothing new: nothing is written.
    pipeline.run(&scene).expect_code(0);
    assert_eq!(scene.latest()["steps"][0]["status"], "up-to-date");
    there.store(8, Ordering::SeqCst);
    pipeline.run(&scene).expect_code(0);
    assert_eq!(ids(&scene).len(), 8);
    // All of it anew.
    let all = appending(&web);
    all.call(&scene, &["run", "--full-refresh"]).expect_code(0);
    assert_eq!(ids(&scene).len(), 8);
    // In other modes there is no state: everything is read each time.
    let whole = Pipeline {
        mode: "replace",
        ..appending(&web)
    };
    let other = Scene::new();
    for _ in 0..2 {
        whole.run(&other).expect_code(0);
        assert_eq!(ids(&other).len(), 8);
    }
}

#[test]
fn what_was_read_before_an_error_stays_and_is_not_read_again() {
    let scene = Scene::new();
    let broken = Arc::new(AtomicUsize::new(1));
    let flag = Arc::clone(&broken);
    let web = Web::start(move |_, asked| {
        let third = asked.parameter("page") == Some("3");
        match third && flag.load(Ordering::SeqCst) == 1 {
            true => Answered::status(404),
            false => page(asked, 7),
        }
    });
    let pipeline = appending(&web);
    pipeline.run(&scene).expect_code(1).says(&[
        "plugin 'api'",
        "data error: the server answers with status 404",
    ]);
    assert_eq!(ids(&scene), ["0", "1", "2", "3"]);
    broken.store(0, Ordering::SeqCst);
    let before = web.asked().len();
    pipeline.run(&scene).expect_code(0);
    assert_eq!(ids(&scene), ["0", "1", "2", "3", "4", "5", "6"]);
    let pages: Vec<String> = web.asked()[before..]
        .iter()
        .map(|asked| asked.parameter("page").unwrap().to_owned())
        .collect();
    assert_eq!(pages, ["3", "4"]);
    // Where all is replaced, all is read or nothing.
    broken.store(1, Ordering::SeqCst);
    let other = Scene::new();
    let whole = Pipeline {
        mode: "replace",
        ..appending(&web)
    };
    whole.run(&other).expect_code(1).says(&["status 404"]);
    other
        .call([
            "sql",
            "select * from raw.people",
            "--lake",
            other.lake().to_str().unwrap(),
        ])
        .expect_code(2);
}

#[test]
fn what_may_work_later_is_tried_again() {
    let scene = Scene::new();
    // Every other request is told to come again, or its answer breaks off.
    let web = Web::start(|before, asked| match before % 4 {
        0 => Answered::status(503),
        2 => Answered {
            breaks: true,
            ..page(asked, 5)
        },
        _ => page(asked, 5),
    });
    appending(&web).run(&scene).expect_code(0);
    assert_eq!(ids(&scene), ["0", "1", "2", "3", "4"]);
    assert_eq!(web.asked().len(), 6);
}

#[test]
fn batches_are_kept_as_they_fill() {
    let scene = Scene::new();
    let web = Web::start(|_, asked| page(asked, 7));
    let pipeline = Pipeline {
        read: "max_rows = 4",
        ..appending(&web)
    };
    pipeline.run(&scene).expect_code(0);
    assert_eq!(ids(&scene).len(), 7);
    let commits = std::fs::read_dir(scene.lake().join("raw/people/_delta_log")).unwrap();
    let commits = commits.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".json")
    });
    // Four rows, and three.
    assert_eq!(commits.count(), 2);
}

#[test]
fn only_what_is_granted_is_reached() {
    let scene = Scene::new();
    let web = Web::start(|_, asked| page(asked, 3));
    let url = web.url();
    // Another path than the one that is granted.
    let elsewhere = Pipeline {
        place: ", methods = [\"POST\"]",
        ..appending(&web)
    };
    elsewhere.run(&scene).expect_code(1).says(&[
        "config error: the grant does not have this request",
        &format!("GET {url}/people is not granted"),
        &format!("grant.http = [{{ url = \"{url}/\", methods = [\"GET\"] }}]"),
    ]);
    // An address that is not public.
    let file = scene.path("pipeline.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let public = text.replace("private = true, methods = [\"POST\"]", "private = false");
    scene.file("pipeline.toml", public);
    scene
        .run(&file, &[])
        .expect_code(1)
        .says(&["127.0.0.1", "which is not public"]);
    assert_eq!(web.asked().len(), 0);
    // No grant at all.
    let none = text.split("[step.read.grant]").next().unwrap();
    let write = "[[step.write]]\ntable = \"raw.people\"\nmode = \"append\"\n";
    scene.file("pipeline.toml", format!("{none}{write}"));
    scene.run(&file, &[]).expect_code(2).says(&[
        "imports `wasi:http/",
        "which it is not granted",
        "grant = { http = ",
    ]);
    assert_eq!(web.asked().len(), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let scene = Scene::new();
    let other = Web::start(|_, asked| page(asked, 3));
    let target = other.url();
    let web = Web::start(move |_, _| Answered {
        headers: vec![("location".to_owned(), format!("{target}/people?page=1"))],
        ..Answered::status(302)
    });
    appending(&web)
        .run(&scene)
        .expect_code(1)
        .says(&["status 302, a redirect"]);
    assert_eq!(web.asked().len(), 1);
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn secrets_are_put_in_by_the_host_and_shown_nowhere() {
    let scene = Scene::new();
    scene.file("token", "hush-hush\n");
    let web = Web::start(|_, asked| page(asked, 3));
    let pipeline = Pipeline {
        place: ", headers = { authorization = { file = \"token\", prefix = \"Bearer \" } }, query = { key = { file = \"token\" } }",
        ..appending(&web)
    };
    let ended = pipeline.run(&scene);
    ended.expect_code(0);
    for asked in web.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer hush-hush"));
        assert_eq!(asked.parameter("key"), Some("hush-hush"));
    }
    let terms = pipeline.call(&scene, &["plan", "--terms"]);
    terms.expect_code(0).prints(&[
        "with the secret headers authorization",
        "with the secret parameters key",
        "nothing of the pipeline's data",
    ]);
    let mut files = vec![scene.lake()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let shown = bytes.windows(9).any(|part| part == b"hush-hush");
            assert!(!shown, "{}", path.display());
        }
    }
}

#[test]
fn records_that_form_no_row_are_kept_aside() {
    let scene = Scene::new();
    let web = Web::start(|_, asked| match asked.parameter("page") {
        Some("1") => {
            let items = json!([{ "id": 1 }, { "name": "no id" }]);
            Answered::body(json!({ "items": items }).to_string())
        }
        _ => Answered::body(r#"{ "items": [] }"#),
    });
    let pipeline = Pipeline {
        read: "on_fail = \"quarantine\"",
        ..appending(&web)
    };
    pipeline.run(&scene).expect_code(3);
    let rejected = scene.sql_csv(
        "select _weir_stage, _weir_rule, _weir_message, _weir_raw, _weir_plugin, _weir_file from raw.people__quarantine",
    );
    assert_eq!(
        rejected[1..],
        [
            "read,missing_value,'id' has no value,\"{\"\"name\"\":\"\"no id\"\"}\",api,source://api/people"
        ]
    );
    // A strict read ends with the first of them.
    let strict = Scene::new();
    appending(&web).run(&strict).expect_code(1).says(&[
        "source://api/people",
        "missing_value (A column that is required has a value in each record.)",
    ]);
}

#[test]
fn what_does_not_fit_is_told() {
    let scene = Scene::new();
    let web = Web::start(|_, asked| page(asked, 3));
    let file = scene.path("pipeline.toml");
    appending(&web)
        .call(&scene, &["plan"])
        .expect_code(0)
        .prints(&[
            "stream api:people",
            "key id",
            "what is new since the last run",
        ]);
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to, says) in [
        (
            "stream = \"people\"",
            "stream = \"nobody\"",
            "plugin 'api' has no stream 'nobody'",
        ),
        ("stream = \"people\"\n", "", "a read needs `stream`"),
        (
            "source = \"api\"",
            "source = \"api\"\nformat = \"csv\"",
            "`format` does not apply to a source",
        ),
        (
            "source = \"api\"",
            "source = \"api\"\ntable = \"raw.x\"",
            "not both",
        ),
        (
            "private = true",
            "private = true, headers = { a = \"secret\" }",
            "a secret is never written into the file",
        ),
        ("private = true", "privat = true", "has no key `privat`"),
        (
            "/people\", private",
            "/people?x=1\", private",
            "the url of a grant",
        ),
        (
            "[[step.write]]",
            "[[step.stage]]\ncheck = { unique = [\"id\"] }\n[[step.write]]",
            "a source may give others the second time",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        scene.file("pipeline.toml", text.replace(from, to));
        scene.run(&file, &[]).expect_code(2).says(&[says]);
    }
    assert_eq!(web.asked().len(), 0, "to plan it nothing is asked");
}
