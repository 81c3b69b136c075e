//! Row 11: a fold that does not outlive the state of another.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn merge(_: Vec<u8>) -> Result<(), Error> {
        std::process::abort()
    }
}

hostile::fold!(Hostile);
