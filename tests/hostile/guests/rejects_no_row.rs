//! Row 17: rejects a row that was not given.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::reject(&[rows.rows], "odd", "");
        Ok(())
    }
}

hostile::transform!(Hostile);
