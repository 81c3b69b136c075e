//! Row 11: aborts.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        std::process::abort()
    }
}

hostile::transform!(Hostile);
