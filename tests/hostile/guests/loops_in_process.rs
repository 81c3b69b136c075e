//! Row 4: never gives a batch back.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::transform!(Hostile);
