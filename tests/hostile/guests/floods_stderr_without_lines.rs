//! Row 9: four megabytes on stderr without one line end.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for _ in 0..1000 {
            eprint!("{}", "x".repeat(4000));
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
