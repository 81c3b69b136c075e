//! Row 9: a hundred thousand metrics, with long names.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for index in 0..100_000 {
            host::metric(&format!("{index}{}", "x".repeat(200)), 1.0);
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
