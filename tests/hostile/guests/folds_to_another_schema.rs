//! Row 1: a result of other columns than it was bound to.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn finish() -> Result<(), Error> {
        folding::emit(&batch(1));
        Ok(())
    }
}

hostile::fold!(Hostile);
