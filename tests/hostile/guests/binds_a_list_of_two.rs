//! Row 3: a list with two kinds of items.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::List, 2),
            field("b", DataType::Int64, 0),
            field("c", DataType::Int64, 0),
        ])
    }
}

hostile::transform!(Hostile);
