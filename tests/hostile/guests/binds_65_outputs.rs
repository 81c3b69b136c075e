//! Row 3: sixty-five outputs.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        Ok((0..65)
            .map(|index| Output {
                name: format!("out{index}"),
                schema: vec![field("a", DataType::Int64, 0)],
            })
            .collect())
    }
}

hostile::transform!(Hostile);
