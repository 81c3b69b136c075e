//! Authors of plugins: from `weir plugin new` to a component that a pipeline runs, in each language, and what
//! they are told when something is wrong.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_tests::{Answered, Ended, Scene, Web, built};

/// What cargo, npm and pip find below the tester's home, where it is not the scene's.
pub(crate) fn with_tools(mut command: Command) -> Command {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let place = std::env::var_os(variable).map_or_else(|| home.join(folder), PathBuf::from);
        command.env(variable, place);
    }
    // Packages that were fetched once are not fetched again.
    command.env("npm_config_cache", built::cache("npm"));
    command.env("PIP_CACHE_DIR", built::cache("pip"));
    // The SDK's dependencies are built there already, for the plugins of this repository.
    command.env("CARGO_TARGET_DIR", built::root().join("plugins/target"));
    command
}

/// The program under test, called as an author would in a shell.
fn weir(scene: &Scene, arguments: &[&str]) -> Ended {
    let output = with_tools(scene.weir(arguments)).output();
    output.expect("weir starts").into()
}

/// A new plugin's folder.
fn made(scene: &Scene, name: &str, world: &str, lang: &str) -> PathBuf {
    weir(
        scene,
        &["plugin", "new", name, "--world", world, "--lang", lang],
    )
    .expect_code(0)
    .prints(&["vendor/weir: the SDK", "weir plugin test"]);
    let folder = scene.path(name);
    if lang == "rust" {
        // The same versions as those that are built.
        let lock = built::root().join("plugins/Cargo.lock");
        std::fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    }
    folder
}

/// Runs the command that `weir` names for a folder, in a shell.
fn typed(folder: &Path, command: &str) {
    let mut shell = with_tools(Command::new("sh"));
    let output = shell
        .args(["-c", command])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A pipeline with the plugin of a folder.
fn runs_in_a_pipeline(scene: &Scene, component: &Path) {
    scene.file("in/a.csv", "id,amount,site\na1,12.5,x\na2,n/a,y\n");
    let pipeline = scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "amounts"
[zone.raw]
[plugins]
amounts = {{ component = "{}" }}
[[step]]
name = "type"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "string", amount = "string", site = "string" }} }}
[[step.stage]]
transform = "amounts"
grant = {{ columns = ["id", "amount"], deadline = "20s" }}
[[step.write]]
table = "raw.amounts"
"#,
            component.display()
        ),
    );
    scene.run(&pipeline, &[]).expect_code(3);
    assert_eq!(
        scene.sql_csv("select id, amount, site from raw.amounts")[1..],
        ["a1,12.50,x"]
    );
    assert_eq!(
        scene.sql_csv("select _weir_rule from raw.amounts__quarantine")[1..],
        ["bad_amount"]
    );
}

/// A pipeline that reads people by the plugin of a folder, and is refused where it grants no place to reach.
fn reads_in_a_pipeline(scene: &Scene, component: &Path) {
    let web = Web::start(|_, asked| {
        Answered::body(match asked.parameter("after") {
            Some("0") => r#"[{"id":1,"name":"Ada"},{"id":2,"name":"Zoë"},{"name":"Bo"}]"#,
            _ => "[]",
        })
    });
    let url = web.url();
    let pipeline = |grant: &str| {
        scene.file(
            "people.toml",
            format!(
                r#"
weir = 1
name = "people"
[zone.raw]
[plugins]
people = {{ component = "{}" }}
[[step]]
name = "load"
[step.read]
source = "people"
stream = "people"
on_fail = "quarantine"
config = {{ url = "{url}" }}
{grant}
[[step.write]]
table = "raw.people"
mode = "append"
"#,
                component.display()
            ),
        )
    };
    scene
        .run(&pipeline(""), &[])
        .expect_code(2)
        .says(&["wasi:http/outgoing-handler", "which it is not granted"]);
    let granted = format!("grant = {{ http = [{{ url = \"{url}/people\", private = true }}] }}");
    scene.run(&pipeline(&granted), &[]).expect_code(3);
    assert_eq!(
        scene.sql_csv("select id, name from raw.people order by id")[1..],
        ["1,Ada", "2,Zoë"]
    );
    assert_eq!(
        scene.sql_csv("select _weir_rule from raw.people__quarantine")[1..],
        ["no_number"]
    );
}

const PASSED: &str = "1 passed, 0 failed";

#[test]
fn rust_plugins_build_and_pass() {
    let scene = Scene::new();
    for (world, says) in [
        ("transform", "6 rows in, 3 out, 3 rejected"),
        ("check", "5 rows in, 3 fail"),
        ("decoder", "bytes in, 3 rows out, 1 rejects"),
        ("source", "2 rows read, 1 rejects"),
        ("fold", "4 rows in, 2 out"),
    ] {
        let name = format!("new-{world}");
        let folder = made(&scene, &name, world, "rust");
        weir(&scene, &["plugin", "test", &name])
            .expect_code(0)
            .prints(&[says, PASSED]);
        let mut native = with_tools(Command::new("cargo"));
        let output = native
            .args(["test", "--quiet"])
            .current_dir(&folder)
            .output();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    weir(
        &scene,
        &["plugin", "bench", "new-transform", "--rounds", "3"],
    )
    .expect_code(0)
    .prints(&[
        "24,576 rows in 3 rounds",
        "ns for each row, the middle round",
    ]);
    let built = built::root().join("plugins/target/wasm32-wasip2/release/new_transform.wasm");
    runs_in_a_pipeline(&scene, &built);
    weir(&scene, &["plugin", "new", "new-check"])
        .expect_code(2)
        .says(&["'new-check' is there already"]);
    weir(&scene, &["plugin", "new", "New_Check"])
        .expect_code(2)
        .says(&["a plugin cannot be called 'New_Check'"]);
}

#[test]
fn python_plugins_build_and_pass() {
    let scene = Scene::new();
    let folder = made(&scene, "amounts", "transform", "python");
    let install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt";
    let hint = format!("hint: cd amounts && {install}");
    weir(&scene, &["plugin", "test", "amounts"])
        .expect_code(2)
        .says(&["are not installed for this plugin", &hint]);
    typed(&folder, install);
    weir(&scene, &["plugin", "test", "amounts"])
        .expect_code(0)
        .prints(&["6 rows in, 3 out, 3 rejected", PASSED]);
    typed(&folder, ".venv/bin/python -m unittest");
    runs_in_a_pipeline(&scene, &folder);
    // One environment serves the others.
    for (world, says) in [
        ("check", "5 rows in, 3 fail"),
        ("decoder", "bytes in, 3 rows out, 1 rejects"),
        ("source", "2 rows read, 1 rejects"),
        ("fold", "4 rows in, 2 out"),
    ] {
        let other = made(&scene, &format!("new-{world}"), world, "python");
        std::os::unix::fs::symlink(folder.join(".venv"), other.join(".venv")).unwrap();
        let name = other.file_name().unwrap().to_str().unwrap();
        weir(&scene, &["plugin", "test", name])
            .expect_code(0)
            .prints(&[says, PASSED]);
        typed(&other, ".venv/bin/python -m unittest");
    }
}

#[test]
fn javascript_plugins_build_and_pass() {
    let scene = Scene::new();
    let folder = made(&scene, "amounts", "transform", "js");
    weir(&scene, &["plugin", "test", "amounts"])
        .expect_code(2)
        .says(&[
            "the packages of this plugin are not installed",
            "hint: cd amounts && npm install",
        ]);
    typed(&folder, "npm install");
    weir(&scene, &["plugin", "test", "amounts"])
        .expect_code(0)
        .prints(&["6 rows in, 3 out, 3 rejected", PASSED]);
    typed(&folder, "npm test");
    runs_in_a_pipeline(&scene, &folder);
    for (world, says) in [
        ("check", "5 rows in, 3 fail"),
        ("decoder", "bytes in, 3 rows out, 1 rejects"),
        ("source", "2 rows read, 1 rejects"),
        ("fold", "4 rows in, 2 out"),
    ] {
        let other = made(&scene, &format!("new-{world}"), world, "js");
        typed(&other, "npm install");
        let name = other.file_name().unwrap().to_str().unwrap();
        weir(&scene, &["plugin", "test", name])
            .expect_code(0)
            .prints(&[says, PASSED]);
        typed(&other, "npm test");
        if world == "source" {
            reads_in_a_pipeline(&scene, &other);
        }
    }
}

/// Runs a test guest with a fixture of this text.
fn with_fixture(scene: &Scene, guest: &str, text: &str, more: &[&str]) -> Ended {
    scene.file("guest/tests/one.toml", text);
    let component = built::guest(guest);
    let mut arguments = vec!["plugin", "test", "guest", "--component"];
    arguments.push(component.to_str().unwrap());
    arguments.extend(more);
    weir(scene, &arguments)
}

const INPUT: &str = "[input]\nschema = { id = \"int64\" }\ncsv = \"id\\n1\\n2\\n\"\n";

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let scene = Scene::new();
    let test = |text: &str| with_fixture(&scene, "transform", text, &[]);
    // A panic: its words, and the rows.
    test(&format!(
        "config = {{ mode = \"panic\" }}\n{INPUT}\n[[output]]\nrows = ''"
    ))
    .expect_code(1)
    .prints(&[
        "FAIL  one",
        "trapped: unreachable",
        "in rows 0 to 1",
        "it said:",
        "stderr: ",
    ]);
    // Another schema, column by column.
    test(&format!(
        "{INPUT}\n[[output]]\nschema = {{ id = \"string\", more = \"date\" }}\nrows = ''"
    ))
    .expect_code(1)
    .prints(&[
        "output 'out', column 0: expected id string, got id int64",
        "output 'out', column 1: expected more date, got no column",
    ]);
    // Other rows.
    test(&format!("{INPUT}\n[[output]]\nrows = '{{\"id\":1}}'"))
        .expect_code(1)
        .prints(&[
            "output 'out': expected 1 rows, got 2",
            "output 'out', row 1:",
            "expected no row",
            "got      {\"id\":2}",
        ]);
    test(&format!("{INPUT}\n[[output]]\nname = \"other\"\nrows = ''"))
        .expect_code(1)
        .prints(&[
            "output 'other' is expected; the plugin has out",
            "output 'out': 2 rows, none is expected",
        ]);
    test(&format!("{INPUT}\n[[reject]]\nrule = \"odd\"\nrows = [1]"))
        .expect_code(1)
        .prints(&["row 1 is expected to be rejected by odd"]);
    test(&format!("{INPUT}\n[error]\nkind = \"config\""))
        .expect_code(1)
        .prints(&["expected an error of kind 'config', and there was none"]);
    test(&format!(
        "config = {{ mode = \"bind_config_error\" }}\n{INPUT}\n[error]\nkind = \"config\""
    ))
    .expect_code(0)
    .prints(&["stops as expected", PASSED]);
    // Nothing is expected yet.
    test(INPUT)
        .expect_code(1)
        .prints(&["it does not say yet what is expected", "--bless"]);
    // Files that cannot be.
    for (text, says) in [
        ("inputs = 1", "unknown field `inputs`"),
        (
            "[input]\nschema = { id = \"integer\" }\ncsv = ''",
            "'integer' is not a type",
        ),
        (
            "[input]\nschema = { id = \"int64\" }\ncsv = \"id\\nx\"",
            "column 'id' is no Int64",
        ),
        ("[input]\ncsv = 'id'", "rows have a `schema`"),
        (
            "[input]\nschema = { id = \"int64\" }\nfile = \"no.csv\"",
            "cannot read the input 'no.csv'",
        ),
        (
            "[grant]\nmemory = \"64MB\"\n[input]\nschema = { id = \"int64\" }\ncsv = \"id\"",
            "'64MB' is no size",
        ),
    ] {
        test(text)
            .expect_code(2)
            .says(&["guest/tests/one.toml", says]);
    }
    scene.file("none/Cargo.toml.txt", "");
    weir(&scene, &["plugin", "build", "none"])
        .expect_code(2)
        .says(&[
            "has no Cargo.toml, pyproject.toml or package.json",
            "weir plugin new NAME",
        ]);
    with_fixture(&scene, "transform", INPUT, &["--only", "two"])
        .expect_code(2)
        .says(&["there is no fixture 'two'", "the fixtures are one"]);
    // A toolchain that is missing is named with what installs it.
    made(&scene, "lonely", "transform", "rust");
    let mut command = scene.weir(["plugin", "build", "lonely"]);
    command.env("PATH", scene.path("nothing"));
    Ended::from(command.output().unwrap())
        .expect_code(2)
        .says(&["rustc is not installed", "hint: install Rust: "]);
}

#[test]
fn blessed_fixtures_pass_and_keep_what_their_author_wrote() {
    let scene = Scene::new();
    let text = format!("# Why this one is there.\n{INPUT}");
    with_fixture(&scene, "transform", &text, &["--bless"])
        .expect_code(0)
        .prints(&["new   one", "0 passed, 0 failed, 1 written"]);
    let written = std::fs::read_to_string(scene.path("guest/tests/one.toml")).unwrap();
    assert!(written.starts_with(&text), "{written}");
    assert!(
        written.ends_with(
            "[[output]]\nschema = { id = \"int64\" }\nrows = '''\n{\"id\":1}\n{\"id\":2}\n'''\n"
        ),
        "{written}"
    );
    with_fixture(&scene, "transform", &written, &[])
        .expect_code(0)
        .prints(&[PASSED]);
    // What came out before is replaced, and an error is as good as rows.
    let failing = written.replace("[input]", "[config]\nmode = \"bind_config_error\"\n[input]");
    with_fixture(&scene, "transform", &failing, &["--bless"]).expect_code(0);
    let written = std::fs::read_to_string(scene.path("guest/tests/one.toml")).unwrap();
    assert!(
        written.contains("[error]\nkind = \"config\"\n"),
        "{written}"
    );
    assert!(!written.contains("[[output]]"), "{written}");
    with_fixture(&scene, "transform", &written, &[]).expect_code(0);
}
