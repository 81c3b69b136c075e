//! Row 6: sleeps a nanosecond, for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        loop {
            std::thread::sleep(std::time::Duration::from_nanos(1));
        }
    }
}

hostile::transform!(Hostile);
