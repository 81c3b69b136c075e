//! Row 3: lists nested one level too deep.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let mut fields = vec![field("a", DataType::List, 1); 64];
        fields.push(field("b", DataType::Int64, 0));
        output(fields)
    }
}

hostile::transform!(Hostile);
