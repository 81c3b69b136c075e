//! Row 3: a column without a name.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field("", DataType::Int64, 0)])
    }
}

hostile::transform!(Hostile);
