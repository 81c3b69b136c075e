//! Row 3: a struct that announces four billion children.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::Struct, u32::MAX),
            field("b", DataType::Int64, 0),
        ])
    }
}

hostile::transform!(Hostile);
