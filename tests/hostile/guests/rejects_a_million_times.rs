//! Row 9: a million rejections of the same rows.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for _ in 0..1_000_000 {
            emitting::reject(&[0, 0, 0, 0], "odd", "again");
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
