//! Row 4: a fold that never says its state.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn snapshot() -> Result<Vec<u8>, Error> {
        hostile::spin()
    }
}

hostile::fold!(Hostile);
