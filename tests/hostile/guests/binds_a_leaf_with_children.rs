//! Row 3: an integer with a child.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::Int64, 1),
            field("b", DataType::Int64, 0),
        ])
    }
}

hostile::transform!(Hostile);
