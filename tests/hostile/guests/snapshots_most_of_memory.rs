//! Row 9: a state of all the memory that there is.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn snapshot() -> Result<Vec<u8>, Error> {
        Ok(vec![1; hostile::most_of_memory()])
    }
}

hostile::fold!(Hostile);
