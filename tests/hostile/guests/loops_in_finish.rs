//! Row 4: never ends.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn finish() -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::transform!(Hostile);
