//! Row 10: a result without end.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Field>, Error> {
        Ok(numbers())
    }

    fn finish() -> Result<(), Error> {
        let rows = batch(8192);
        loop {
            folding::emit(&rows);
        }
    }
}

hostile::fold!(Hostile);
