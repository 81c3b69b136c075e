//! Row 17: gives the rows back in their order and says they came in the opposite one.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let origin: Vec<u32> = (0..rows.rows).rev().collect();
        emitting::emit(0, &rows, Some(&origin));
        Ok(())
    }
}

hostile::transform!(Hostile);
