//! Row 17: a fold that emits while it takes a batch.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Field>, Error> {
        Ok(numbers())
    }

    fn process(_: Batch) -> Result<(), Error> {
        folding::emit(&batch(1));
        Ok(())
    }
}

hostile::fold!(Hostile);
