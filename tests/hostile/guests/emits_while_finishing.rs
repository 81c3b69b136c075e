//! Row 17: emits after the last batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn finish() -> Result<(), Error> {
        emitting::emit(0, &batch(0, &[], &[]), None);
        Ok(())
    }
}

hostile::transform!(Hostile);
