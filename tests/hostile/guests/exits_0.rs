//! Row 11: exits as if it had succeeded.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(0, &rows, None);
        std::process::exit(0)
    }
}

hostile::transform!(Hostile);
