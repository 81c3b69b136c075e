//! Row 4: never says what it is.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        hostile::spin()
    }
}

hostile::transform!(Hostile);
