//! Row 4: a fold that never takes a batch.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::fold!(Hostile);
