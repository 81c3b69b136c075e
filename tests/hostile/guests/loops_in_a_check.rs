//! Row 4: a check that never judges.

use hostile::check::*;

struct Hostile;

impl Check for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::check!(Hostile);
