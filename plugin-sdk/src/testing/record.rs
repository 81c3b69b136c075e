//! What a plugin logs, counts and is granted while a harness runs it on this thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;

use super::cross;
use super::source::{Answer, Responder};
use crate::host::Level;
use crate::http::Request;
use crate::{Error, SideInput};

/// What was recorded.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) metrics: Vec<(String, f64)>,
}

/// A recording, which its end (or its drop) stops.
pub(crate) struct Recording(());

thread_local! {
    static RECORDED: RefCell<Option<Recorded>> = const { RefCell::new(None) };
    static REQUESTS: RefCell<Vec<Request>> = const { RefCell::new(Vec::new()) };
    static RESPONDER: RefCell<Option<Responder>> = const { RefCell::new(None) };
    static SIDE_INPUTS: RefCell<BTreeMap<String, RecordBatch>> = const { RefCell::new(BTreeMap::new()) };
    static SECRETS: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// Begins a recording, during which the plugin is handed `side_inputs` and granted `secrets`, and its requests are
/// answered.
pub(crate) fn start(
    side_inputs: &BTreeMap<String, RecordBatch>,
    secrets: &BTreeMap<String, String>,
    responder: Option<Responder>,
) -> Recording {
    SIDE_INPUTS.set(side_inputs.clone());
    REQUESTS.set(Vec::new());
    RESPONDER.set(responder);
    RECORDED.set(Some(Recorded::default()));
    SECRETS.set(secrets.clone());
    Recording(())
}

impl Recording {
    pub(crate) fn end(self) -> Recorded {
        RECORDED.take().unwrap_or_default()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        RECORDED.set(None);
        SIDE_INPUTS.set(BTreeMap::new());
        SECRETS.set(BTreeMap::new());
        REQUESTS.set(Vec::new());
        RESPONDER.set(None);
    }
}

/// What the test answers to a request.
pub(crate) fn answer(request: &Request) -> Result<Answer, Error> {
    REQUESTS.with_borrow_mut(|requests| requests.push(request.clone()));
    match RESPONDER.with_borrow(Clone::clone) {
        Some(Responder(answer)) => Ok(answer(request)),
        None => Err(Error::config(
            "no request is granted here: answer it in the test, with `Harness::respond`",
        )),
    }
}

/// The requests made so far.
pub(crate) fn take_requests() -> Vec<Request> {
    REQUESTS.take()
}

/// The rows of a reference table, as they cross the sandbox.
pub(crate) fn side_input(table: &SideInput) -> Result<RecordBatch, Error> {
    let rows = SIDE_INPUTS.with_borrow(|tables| tables.get(&table.name).cloned());
    let rows = rows.ok_or_else(|| {
        Error::fatal(format!(
            "the side input `{}` has no rows: there is no test",
            table.name
        ))
    })?;
    cross(&table.schema, &rows)
}

/// The secret granted under `name`.
pub(crate) fn secret(name: &str) -> Option<String> {
    SECRETS.with_borrow(|secrets| secrets.get(name).cloned())
}

pub(crate) fn log(level: Level, message: String) {
    RECORDED.with_borrow_mut(|recorded| match recorded {
        Some(recorded) => recorded.logs.push((level, message)),
        None => eprintln!("{level:?}: {message}"),
    });
}

pub(crate) fn metric(name: &str, value: f64) {
    RECORDED.with_borrow_mut(|recorded| {
        let Some(recorded) = recorded else { return };
        match recorded.metrics.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += value,
            None => recorded.metrics.push((name.to_owned(), value)),
        }
    });
}
