//! Row 4: never binds.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        hostile::spin()
    }
}

hostile::transform!(Hostile);
