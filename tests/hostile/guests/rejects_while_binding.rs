//! Row 17: rejects rows before there is a batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        emitting::reject(&[0], "odd", "");
        output(input)
    }
}

hostile::transform!(Hostile);
