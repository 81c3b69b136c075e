//! How a command ended.

use std::process::Output;

use serde_json::Value;

/// A command that has ended, with what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed as data.
    pub stdout: String,
    /// What it printed besides.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

impl Ended {
    /// Demands an exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        self.expect_code_of(&[code])
    }

    /// Demands one of several exit codes.
    #[track_caller]
    pub fn expect_code_of(self, codes: &[i32]) -> Self {
        assert!(
            self.code.is_some_and(|code| codes.contains(&code)),
            "exit code {:?}, not one of {codes:?}\n{}",
            self.code,
            self.screen()
        );
        self
    }

    /// Demands that stderr has each of the texts.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "stderr lacks {text:?}\n{}",
                self.screen()
            );
        }
        self
    }

    /// Demands that stdout has each of the texts.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stdout.contains(text),
                "stdout lacks {text:?}\n{}",
                self.screen()
            );
        }
        self
    }

    /// Demands that neither stdout nor stderr has any of the texts.
    #[track_caller]
    pub fn hides(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                !self.stderr.contains(text) && !self.stdout.contains(text),
                "{text:?} is shown\n{}",
                self.screen()
            );
        }
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{}", self.screen()))
    }

    /// What it printed, a JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("stdout has no JSON lines: {error}\n{}", self.screen()))
    }

    fn screen(&self) -> String {
        format!(
            "---- stdout\n{}\n---- stderr\n{}",
            self.stdout.chars().take(4_000).collect::<String>(),
            self.stderr
        )
    }
}
