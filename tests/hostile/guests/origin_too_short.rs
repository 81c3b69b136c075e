//! Row 17: an origin for fewer rows than it emits.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(0, &rows, Some(&[0]));
        Ok(())
    }
}

hostile::transform!(Hostile);
