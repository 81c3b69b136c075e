//! Row 9: a hundred thousand lines of log, each with a forged line in it.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for line in 0..100_000 {
            host::log(host::Level::Warn, &format!("line {line}\nforged"));
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
