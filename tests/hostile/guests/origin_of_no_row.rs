//! Row 17: rows that come from a row that was not given.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let origin = vec![rows.rows; rows.rows as usize];
        emitting::emit(0, &rows, Some(&origin));
        Ok(())
    }
}

hostile::transform!(Hostile);
