//! A small pipeline, written by the tests: files of visits into one table.

use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;

use weir_tests::{CommitLog, Contents, Ended, Scene, built, commit_logs};

/// What may differ from test to test.
#[derive(Clone)]
pub(crate) struct Visits<'a> {
    /// Pattern of the files below the landing folder.
    pub(crate) files: &'a str,
    /// What `read` says besides.
    pub(crate) read: &'a str,
    /// The columns.
    pub(crate) schema: &'a str,
    /// `[[step.stage]]` sections.
    pub(crate) stages: &'a str,
    /// The mode of the write, where it has no partition.
    pub(crate) mode: &'a str,
    /// Makes it `replace-partition`.
    pub(crate) partition: Option<&'a str>,
    /// Further sections.
    pub(crate) more: &'a str,
}

impl Default for Visits<'_> {
    fn default() -> Self {
        Self {
            files: "*.csv",
            read: r#"format = "csv""#,
            schema: r#"{ id = "int64 not null", born = "date", state = "string", amount = "decimal(10,2)" }"#,
            stages: "",
            mode: "replace",
            partition: None,
            more: "",
        }
    }
}

impl Visits<'_> {
    /// Writes the pipeline file, or writes it anew.
    pub(crate) fn write(&self, scene: &Scene) -> PathBuf {
        let mut text = String::from(
            r#"weir = 1
name = "visits"

[params]
landing = { type = "path" }
site = { type = "string", values = ["a", "b"], default = "a" }

[zone.raw]

[plugins]
"#,
        );
        for name in ["transform", "check", "secret"] {
            if self.stages.contains(&format!("\"guest_{name}\"")) {
                let component = built::guest(name);
                writeln!(text, "guest_{name} = {{ component = {component:?} }}").unwrap();
            }
        }
        let write = match self.partition {
            Some(partition) => format!("mode = \"replace-partition\", partition = {partition}"),
            None => format!("mode = \"{}\"", self.mode),
        };
        write!(
            text,
            r#"
[[step]]
name = "visits"
read = {{ files = "${{param.landing}}/{}", {}, schema = {} }}
{}
[[step.write]]
table = "raw.visits"
{}
{}
"#,
            self.files,
            self.read,
            self.schema,
            self.stages,
            write.replace(", partition", "\npartition"),
            self.more
        )
        .unwrap();
        scene.file("visits.toml", text)
    }

    /// Sound rows, header first.
    pub(crate) fn rows(ids: Range<u64>) -> String {
        let mut text = String::from("id,born,state,amount\n");
        for id in ids {
            let (year, month, day) = (1930 + id % 70, 1 + id % 12, 1 + id % 28);
            let state = 1 + id % 54;
            writeln!(
                text,
                "{id},{year}-{month:02}-{day:02},{state:02},{}.{:02}",
                id % 900,
                id % 100
            )
            .unwrap();
        }
        text
    }

    /// Runs the pipeline on the files in `in`.
    pub(crate) fn run(&self, scene: &Scene) -> Ended {
        scene.run(&self.write(scene), &[("landing", "in")])
    }
}

/// What is in the targets, to the letter of their logs.
pub(crate) struct Targets {
    contents: Contents,
    logs: Vec<CommitLog>,
}

impl Targets {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self {
            contents: Contents::of(scene),
            logs: commit_logs(&scene.lake()),
        }
    }

    /// Demands that the targets are what they were, and that nothing is staged any more.
    #[track_caller]
    pub(crate) fn expect_untouched(&self, scene: &Scene) {
        Contents::of(scene).expect_same(&self.contents, "the targets are as before the run");
        assert!(
            self.logs == commit_logs(&scene.lake()),
            "a table has another log than before the run"
        );
    }
}
