//! What a plugin logs and counts while a harness runs it on this thread.

use std::cell::RefCell;

use crate::host::Level;

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
}

pub(crate) fn start() -> Recording {
    RECORDED.set(Some(Recorded::default()));
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
    }
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
