//! Row 17: gives every row to its first output and none to its second.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        let output = |name: &str| Output {
            name: name.into(),
            schema: input.clone(),
        };
        Ok(vec![output("out"), output("second")])
    }
}

hostile::transform!(Hostile);
