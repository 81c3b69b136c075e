//! Row 17: rejects rows and emits them all the same.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(0, &rows, None);
        emitting::reject(&[0], "odd", "withdraw it");
        Ok(())
    }
}

hostile::transform!(Hostile);
