//! Row 3: an output of five thousand columns.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let names = (0..5000).map(|index| index.to_string());
        output(names.map(|name| field(&name, DataType::Int64, 0)).collect())
    }
}

hostile::transform!(Hostile);
