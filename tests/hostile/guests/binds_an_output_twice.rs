//! Row 3: two outputs of one name.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let out = || Output {
            name: "out".into(),
            schema: vec![field("a", DataType::Int64, 0)],
        };
        Ok(vec![out(), out()])
    }
}

hostile::transform!(Hostile);
