//! Row 4: counts for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        loop {
            host::metric("seen", 1.0);
        }
    }
}

hostile::transform!(Hostile);
