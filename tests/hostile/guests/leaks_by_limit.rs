//! Row 19: asks for as many rows as its data says.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let number = text(&rows.buffers)
            .bytes()
            .fold(0, |sum, byte| sum << 8 | u32::from(byte));
        emitting::emit(0, &batch(number | 1 << 30, &[], &[]), None);
        Ok(())
    }
}

hostile::transform!(Hostile);
