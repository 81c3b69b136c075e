//! Row 9: a state that is a byte larger than a quarter of its memory.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn snapshot() -> Result<Vec<u8>, Error> {
        Ok(vec![1; (4 << 20) + 1])
    }
}

hostile::fold!(Hostile);
