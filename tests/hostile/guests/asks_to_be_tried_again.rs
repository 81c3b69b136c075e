//! Row 11: says that it would work next time, every time.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        Err(Error::Retry("soon".into()))
    }
}

hostile::transform!(Hostile);
