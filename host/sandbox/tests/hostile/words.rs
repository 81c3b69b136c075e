//! Row 19: data in the words and numbers of a guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use weir_sandbox::{Contract, GuestStream, SandboxError, Speech};

use crate::field::{Attack, Lines, Outcome};

/// The data: a guest must not get it into anything but its output.
const CANARY: &str = "Kanarienvogel-4711";
/// The same as a number, as the guests make one of it: its last four bytes.
const NUMBER: u32 = u32::from_be_bytes(*b"4711");

fn attack(guest: &'static str) -> Attack {
    let text: ArrayRef = Arc::new(StringArray::from(vec![CANARY]));
    Attack::by(guest).input(RecordBatch::try_from_iter([("text", text)]).unwrap())
}

/// All that the host learns from a guest but its output, as text.
fn told(outcome: &Outcome) -> String {
    let findings: Vec<_> = outcome.given.iter().map(|given| &given.findings).collect();
    let error = outcome.error.as_ref().map(|error| {
        let numbers = match error {
            SandboxError::Limit { allowed, asked, .. } => format!("{allowed} {asked:?}"),
            _ => String::new(),
        };
        format!("{error} {error:?} {numbers} {:?}", error.hint())
    });
    format!("{error:?} {findings:?} {:?}", outcome.usage)
}

/// What a guest says where its words are open, and where they are kept; with what was kept.
fn open_and_kept(guest: &'static str) -> (String, String, Vec<(GuestStream, String)>) {
    let open = told(&attack(guest).run());
    let lines = Arc::<Lines>::default();
    let sink = Arc::clone(&lines);
    let kept = attack(guest)
        .terms(|terms| {
            terms.speech = Speech::Kept(sink);
            terms.contract = Contract {
                rules: Some(BTreeMap::from([(
                    "odd".to_owned(),
                    "Rows are even.".to_owned(),
                )])),
                ..Contract::default()
            };
        })
        .run();
    (open, told(&kept), lines.all())
}

/// Guests that put data into words. Where these are open, the host is told it in the place that is
/// named (or, where there is none, nowhere but in the log); where they are kept, only the sink is.
macro_rules! kept {
    ($($name:ident => $open:literal, $stream:ident),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let (open, kept, lines) = open_and_kept(stringify!($name));
            assert_eq!(open.contains(CANARY), $open, "{open}");
            assert!(!kept.contains("Kanarien"), "{kept}");
            let line = lines.iter().find(|(_, text)| text.contains(CANARY));
            let (stream, text) = line.expect("the sink has it");
            assert_eq!(*stream, GuestStream::$stream);
            assert!(text.len() <= 2048);
        }
    )*};
}

kept! {
    leaks_by_panic => false, Stderr,
    leaks_by_error => true, Error,
    leaks_by_rejection => true, Message,
    leaks_by_rule => true, Error,
    leaks_by_metric => true, Metric,
    leaks_by_log => false, Log,
    leaks_by_stdout => false, Stdout,
    leaks_by_stderr => false, Stderr,
}

/// Guests that put data into numbers of an error.
macro_rules! numbers {
    ($($name:ident => $number:expr),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let (open, kept, lines) = open_and_kept(stringify!($name));
            let number = u64::from($number).to_string();
            assert!(open.contains(&number), "the control: {number} is told in {open}");
            assert!(!kept.contains(&number), "{number}: {kept}");
            assert!(lines.iter().any(|(stream, text)| {
                *stream == GuestStream::Error && text.contains(&number)
            }), "{lines:?}");
        }
    )*};
}

numbers! {
    leaks_by_origin => NUMBER | 1 << 31,
    leaks_by_bad_batch => NUMBER,
    leaks_by_limit => NUMBER | 1 << 30,
}

/// One bit: whether it says that it succeeded.
#[test]
pub(crate) fn leaks_by_exit_status() {
    let (open, kept, _) = open_and_kept("leaks_by_exit_status");
    assert!(open.contains("exit with status 1"), "the control: {open}");
    assert!(!kept.contains("with status"), "{kept}");
}
