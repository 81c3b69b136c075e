//! Row 17: a check that fails a row that was not given.

use hostile::check::*;

struct Hostile;

impl Check for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        judging::fail(&[0, u32::MAX], "odd", "");
        Ok(())
    }
}

hostile::check!(Hostile);
