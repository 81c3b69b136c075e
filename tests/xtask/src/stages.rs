//! Running commands, one after the other, in plain words.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The stages of a command, numbered and timed on stderr.
pub(crate) struct Stages {
    name: &'static str,
    total: usize,
    begun: usize,
    start: Instant,
}

impl Stages {
    pub(crate) fn new(name: &'static str, total: usize) -> Self {
        Self {
            name,
            total,
            begun: 0,
            start: Instant::now(),
        }
    }

    /// Announces a stage, does it and says how long it took.
    pub(crate) fn run<T>(
        &mut self,
        what: &str,
        stage: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.begun += 1;
        let number = format!("[{}/{}]", self.begun, self.total);
        eprintln!("{number} {what}");
        let start = Instant::now();
        let result = stage().with_context(|| format!("{} stopped at: {what}", self.name))?;
        eprintln!("{number} took {}", in_words(start.elapsed()));
        Ok(result)
    }

    /// A stage that is one command, which must succeed.
    pub(crate) fn command(&mut self, what: &str, command: &mut Command) -> anyhow::Result<()> {
        self.run(what, || succeed(command))
    }

    /// Says that all is done, and how long it took.
    pub(crate) fn finish(self) {
        debug_assert_eq!(self.begun, self.total, "each stage has run");
        eprintln!("{}: done in {}", self.name, in_words(self.start.elapsed()));
    }
}

/// Runs a command and returns its exit code.
pub(crate) fn exit_code(command: &mut Command) -> anyhow::Result<i32> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    status
        .code()
        .with_context(|| format!("{} was killed: {status}", in_shell(command)))
}

/// Runs a command, which must succeed.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    match exit_code(command)? {
        0 => Ok(()),
        code => bail!("exit code {code} from: {}", in_shell(command)),
    }
}

/// Whether a command can be run and succeeds; what it prints is dropped.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn in_shell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(in_words(Duration::from_millis(1_260)), "1.3 s");
        assert_eq!(in_words(Duration::from_secs(605)), "10 min 05 s");
    }

    #[test]
    fn a_failed_command_is_named() {
        let mut command = Command::new("cargo");
        command.arg("no-such-command");
        let error = succeed(command.stderr(std::process::Stdio::null())).unwrap_err();
        assert!(
            error.to_string().ends_with("from: cargo no-such-command"),
            "{error}"
        );
    }
}
