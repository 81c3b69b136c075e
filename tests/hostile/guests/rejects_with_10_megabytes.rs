//! Row 9: rejects a row with a message of ten mebibytes and a rule as long.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let long = "x".repeat(10 << 20);
        emitting::reject(&[0], &long, &long);
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
