//! Row 17: an origin for more rows than it emits.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let origin = vec![0; rows.rows as usize + 1];
        emitting::emit(0, &rows, Some(&origin));
        Ok(())
    }
}

hostile::transform!(Hostile);
