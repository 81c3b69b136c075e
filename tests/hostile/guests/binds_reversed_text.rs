//! Row 3: an output whose name is read backwards.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        Ok(vec![Output {
            name: "\u{202e}tuo".into(),
            schema: vec![field("a", DataType::Int64, 0)],
        }])
    }
}

hostile::transform!(Hostile);
