//! Row 17: a fold that emits while it says its state.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Field>, Error> {
        Ok(numbers())
    }

    fn snapshot() -> Result<Vec<u8>, Error> {
        folding::emit(&batch(1));
        Ok(vec![1])
    }
}

hostile::fold!(Hostile);
