//! Row 17: a check that fails rows after the last batch.

use hostile::check::*;

struct Hostile;

impl Check for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        judging::fail(&[0], "odd", "");
        Ok(())
    }
}

hostile::check!(Hostile);
