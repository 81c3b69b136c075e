//! Row 3: a column whose name clears the screen and forges a line.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![field("a\u{1b}[2J\nerror: forged", DataType::Int64, 0)])
    }
}

hostile::transform!(Hostile);
