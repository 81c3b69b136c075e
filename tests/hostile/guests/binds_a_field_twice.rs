//! Row 3: two columns of one name.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field("a", DataType::Int64, 0); 2])
    }
}

hostile::transform!(Hostile);
