//! Row 3: a struct without fields.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field("a", DataType::Struct, 0)])
    }
}

hostile::transform!(Hostile);
