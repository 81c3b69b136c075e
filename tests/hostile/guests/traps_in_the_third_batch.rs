//! Row 11: gives two batches back and traps in the third.

use hostile::Counter;
use hostile::transform::*;

static BATCHES: Counter = Counter::new();

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        if BATCHES.next() == 3 {
            core::arch::wasm32::unreachable();
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
