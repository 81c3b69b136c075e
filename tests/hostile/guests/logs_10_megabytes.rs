//! Row 9: one line of log of ten mebibytes.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        host::log(host::Level::Warn, &"x".repeat(10 << 20));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
