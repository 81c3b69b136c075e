//! Row 10: rejects the same row, with a message, for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        loop {
            emitting::reject(&[0], "odd", "and again");
        }
    }
}

hostile::transform!(Hostile);
