//! Row 4: a fold that never takes a state.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn merge(_: Vec<u8>) -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::fold!(Hostile);
