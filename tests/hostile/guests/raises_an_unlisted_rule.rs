//! Row 17: rejects a row by a rule that nobody agreed to.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::reject(&[0], "made_up", "");
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
