//! Row 17: emits every row twice.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let origin: Vec<u32> = (0..rows.rows).collect();
        emitting::emit(0, &rows, Some(&origin));
        emitting::emit(0, &rows, Some(&origin));
        Ok(())
    }
}

hostile::transform!(Hostile);
