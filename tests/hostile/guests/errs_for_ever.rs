//! Row 11: returns a typed error with control characters, 10,000 times as long as one may be.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        Err(Error::Fatal("no\u{1b}[2J\nerror: forged ".repeat(50_000)))
    }
}

hostile::transform!(Hostile);
