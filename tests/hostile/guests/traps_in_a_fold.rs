//! Row 11: a fold that ends in its first batch.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        std::process::abort()
    }
}

hostile::fold!(Hostile);
