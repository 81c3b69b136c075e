//! Row 9: rejects by a rule name of two hundred characters that hides what follows.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::reject(&[0], &"r\u{202e}".repeat(100), "\u{1b}[2J");
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
