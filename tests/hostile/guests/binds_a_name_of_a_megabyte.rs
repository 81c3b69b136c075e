//! Row 3: a column whose name has a mebibyte.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field(&"x".repeat(1 << 20), DataType::Int64, 0)])
    }
}

hostile::transform!(Hostile);
