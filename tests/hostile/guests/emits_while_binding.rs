//! Row 17: emits before there is a batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        emitting::emit(0, &batch(0, &[], &[]), None);
        output(input)
    }
}

hostile::transform!(Hostile);
