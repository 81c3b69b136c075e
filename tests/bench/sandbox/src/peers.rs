//! The cases that another process runs, because its versions of wasmtime and Arrow must not meet ours.
//!
//! It first writes a line for each of its cases (task, place and rows, divided by tabs) and then an
//! empty one. For each line with the number of a case and a count it runs that case so many times, and
//! answers with nanoseconds of processor time and the digest of the rows.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cases::{Case, Round};

/// The running process. Its input is closed when the last case is dropped, which ends it.
struct Peers {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

impl Peers {
    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the peers' process has ended; its errors are above");
        }
        Ok(line.trim_end().to_owned())
    }

    fn run(&mut self, case: usize, repeats: usize) -> anyhow::Result<Round> {
        let questions = self
            .questions
            .as_mut()
            .context("the peers' process is being ended")?;
        writeln!(questions, "{case} {repeats}")?;
        let answer = self.line()?;
        let (time, digest) = answer.split_once(' ').context("an answer of two words")?;
        Ok(Round {
            time: Duration::from_nanos(time.parse()?),
            batches: repeats,
            digest: digest.parse()?,
        })
    }
}

/// Starts `program` and returns its cases.
pub(crate) fn start(program: &str, arguments: &[String]) -> anyhow::Result<Vec<Case>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let questions = child.stdin.take();
    let answers = BufReader::new(child.stdout.take().context("its stdout is a pipe")?);
    let mut peers = Peers {
        child,
        questions,
        answers,
    };
    let mut named = Vec::new();
    loop {
        let line = peers.line()?;
        if line.is_empty() {
            break;
        }
        named.push(line);
    }
    let peers = Rc::new(RefCell::new(peers));
    named
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let mut words = line.split('\t');
            let mut word = || {
                words
                    .next()
                    .map(str::to_owned)
                    .context("a case has three words")
            };
            let peers = peers.clone();
            Ok(Case {
                task: word()?,
                place: word()?,
                rows: word()?,
                run: Box::new(move |repeats| peers.borrow_mut().run(number, repeats)),
            })
        })
        .collect()
}
