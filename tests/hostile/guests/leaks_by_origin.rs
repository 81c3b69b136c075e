//! Row 19: names a row whose number is data.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let number = text(&rows.buffers)
            .bytes()
            .fold(0, |sum, byte| sum << 8 | u32::from(byte));
        emitting::reject(&[number | 1 << 31], "odd", "");
        Ok(())
    }
}

hostile::transform!(Hostile);
