//! Row 9: a hundred thousand lines on stdout.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for line in 0..100_000 {
            println!("line {line}");
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
