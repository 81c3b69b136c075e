//! Row 11: a state that no other instance takes.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn merge(_: Vec<u8>) -> Result<(), Error> {
        Err(Error::Fatal("this is no state of mine".into()))
    }
}

hostile::fold!(Hostile);
