//! Row 17: emits when it is asked what it is.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        emitting::emit(0, &batch(0, &[], &[]), None);
        info()
    }
}

hostile::transform!(Hostile);
