//! Row 4: logs for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        loop {
            host::log(host::Level::Warn, "and again");
        }
    }
}

hostile::transform!(Hostile);
