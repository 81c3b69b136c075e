//! Row 3: structs nested four thousand deep, to exhaust the stack of whoever reads them.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let mut fields = vec![field("a", DataType::Struct, 1); 4000];
        fields.push(field("b", DataType::Int64, 0));
        output(fields)
    }
}

hostile::transform!(Hostile);
