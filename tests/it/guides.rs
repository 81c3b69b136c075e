//! The guides for authors, one for each language: their commands are run as they stand there, in order, in one shell.
//!
//! In a guide `<!-- run -->` stands before a block of commands, `<!-- run: 3 -->` before one whose last command ends
//! with that status, and `<!-- file: NAME -->` before the content of a file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use weir_tests::{Ended, Scene, built};

use crate::authoring::with_tools;

/// What a guide has its reader do.
#[derive(Debug, PartialEq)]
enum Action {
    Run { commands: String, status: i32 },
    Write { file: String, content: String },
}

/// The actions of a guide, in order.
fn actions(guide: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let said = line
            .strip_prefix("<!-- ")
            .and_then(|said| said.strip_suffix(" -->"));
        let Some((what, more)) = said.map(|said| said.split_once(": ").unwrap_or((said, "")))
        else {
            continue;
        };
        let fence = lines.next().unwrap_or_default();
        assert!(
            fence.starts_with("```"),
            "{line} stands before no block: {fence}"
        );
        let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let content = content.join("\n") + "\n";
        actions.push(match what {
            "run" => Action::Run {
                commands: content,
                status: match more {
                    "" => 0,
                    status => status.parse().unwrap(),
                },
            },
            "file" => Action::Write {
                file: more.to_owned(),
                content,
            },
            other => panic!("a guide says {other}"),
        });
    }
    actions
}

/// All of it as one script, which ends at the first command that does not end as the guide says.
fn script(actions: &[Action]) -> String {
    let mut script = "set -eu\n".to_owned();
    for action in actions {
        match action {
            Action::Write { file, content } => {
                let _ = write!(
                    script,
                    "cat > {file} <<'END OF FILE'\n{content}END OF FILE\n"
                );
            }
            Action::Run {
                commands,
                status: 0,
            } => script.push_str(commands),
            Action::Run { commands, status } => {
                let (last, before) = commands
                    .trim_end()
                    .rsplit_once('\n')
                    .map_or((commands.as_str(), ""), |(before, last)| (last, before));
                let _ = write!(
                    script,
                    "{before}\nstatus=0\n{last} || status=$?\ntest $status -eq {status}\n"
                );
            }
        }
    }
    script
}

/// Runs a guide of the repository in a folder that has `sdk` of it. `before`: what the shell does first.
fn follow(scene: &Scene, guide: &str, sdk: Option<&str>, before: &str) -> Ended {
    let text = std::fs::read_to_string(built::root().join(guide)).unwrap();
    let actions = actions(&text);
    assert!(!actions.is_empty(), "{guide} has its reader do nothing");
    if let Some(sdk) = sdk {
        let target = scene.path(sdk);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let copied = Command::new("cp")
            .args([
                "-r".as_ref(),
                built::root().join(sdk).as_os_str(),
                target.as_os_str(),
            ])
            .status();
        assert!(copied.unwrap().success());
    }
    let weir = built::weir();
    let folder = weir.parent().and_then(Path::to_str).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    // The environment of a call of weir's, with a shell in its place.
    let mut shell = Command::new("bash");
    for (name, value) in scene.weir(["--version"]).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
        .args(["-c", &format!("{before}{}", script(&actions))])
        .current_dir(scene.path(""))
        .env("PATH", format!("{folder}:{path}"))
        .env_remove("WEIR_LAKE");
    with_tools(shell).output().unwrap().into()
}

const PASSED: &str = "1 passed, 0 failed";

#[test]
fn the_rust_guide_is_followed() {
    let scene = Scene::new();
    // The same versions as those that are built: else cargo would take newer ones, and build them.
    let lock = built::root().join("plugins/Cargo.lock");
    let before = format!(
        "weir() {{ command weir \"$@\"; if [ \"$2\" = new ]; then cp '{}' \"$3\"; fi; }}\n",
        lock.display()
    );
    let ended = follow(&scene, "docs/plugins.md", None, &before).expect_code(0);
    ended.prints(&["6 rows in, 3 out, 3 rejected", PASSED]);
}

#[test]
fn the_python_guide_is_followed() {
    let scene = Scene::new();
    let sdk = "plugin-sdk/python";
    let ended = follow(&scene, "plugin-sdk/python/README.md", Some(sdk), "").expect_code(0);
    ended.prints(&[PASSED, "transform (weir:plugin@0.1.0)", "claim_id"]);
}

#[test]
fn the_javascript_guide_is_followed() {
    let scene = Scene::new();
    let sdk = "plugin-sdk/js";
    let ended = follow(&scene, "plugin-sdk/js/README.md", Some(sdk), "").expect_code(0);
    ended.prints(&[PASSED, "transform (weir:plugin@0.1.0)", "claim_id"]);
}

#[test]
fn a_guide_is_read_block_by_block() {
    let guide = "text\n<!-- run -->\n```sh\na\nb\n```\n<!-- file: x.py -->\n```python\nc\n```\n\n<!-- run: 3 -->\n```sh\nd\ne\n```\n```sh\nnot run\n```\n";
    let actions = actions(guide);
    assert_eq!(actions.len(), 3);
    assert_eq!(
        script(&actions),
        "set -eu\na\nb\ncat > x.py <<'END OF FILE'\nc\nEND OF FILE\nd\nstatus=0\ne || status=$?\ntest $status -eq 3\n"
    );
}
