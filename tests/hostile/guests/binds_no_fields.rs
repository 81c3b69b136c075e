//! Row 3: an output without columns.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(Vec::new())
    }
}

hostile::transform!(Hostile);
