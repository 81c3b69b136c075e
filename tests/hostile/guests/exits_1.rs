//! Row 11: exits with a status.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        std::process::exit(1)
    }
}

hostile::transform!(Hostile);
