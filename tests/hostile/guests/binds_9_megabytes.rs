//! Row 3: an answer of more bytes than one call may pass.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field(&"x".repeat(9 << 20), DataType::Int64, 0)])
    }
}

hostile::transform!(Hostile);
