//! Row 4: moves its state without a row, and fails, each time that it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use hostile::source::*;

static CALLS: hostile::Counter = hostile::Counter::new();
static PAGE: AtomicU64 = AtomicU64::new(0);

struct Hostile;

impl Source for Hostile {
    fn open(_: String, state: Option<String>) -> Result<Vec<Field>, Error> {
        let before = state.and_then(|state| state.parse().ok());
        PAGE.store(before.unwrap_or(0), Ordering::Relaxed);
        Ok(people().schema)
    }

    fn read() -> Result<Page, Error> {
        match CALLS.next() {
            1 => page(&(PAGE.load(Ordering::Relaxed) + 1).to_string(), false),
            _ => Err(Error::Data("no more today".into())),
        }
    }
}

hostile::source!(Hostile);
