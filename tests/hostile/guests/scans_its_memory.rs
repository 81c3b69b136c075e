//! Row 18: looks for a needle in the whole of its memory, and says by a metric how often it lies there.

use std::cell::RefCell;

use hostile::needle;
use hostile::transform::*;

thread_local! {
static NEEDLE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Hostile;

impl Transform for Hostile {
    fn bind(config: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        NEEDLE.set(needle::from_config(&config));
        output(input)
    }

    fn process(rows: Batch) -> Result<(), Error> {
        let found = NEEDLE.with_borrow(|masked| needle::count(masked));
        host::metric("found", found as f64);
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
