//! Row 10: emits the same rows again and again, two hundred thousand times.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let origin: Vec<u32> = (0..rows.rows).collect();
        for _ in 0..200_000 {
            emitting::emit(0, &rows, Some(&origin));
        }
        Ok(())
    }
}

hostile::transform!(Hostile);
