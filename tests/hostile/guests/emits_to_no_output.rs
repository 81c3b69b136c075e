//! Row 1: emits to output four billion of one.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(u32::MAX, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
