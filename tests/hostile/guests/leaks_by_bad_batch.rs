//! Row 19: emits a batch that is none, whose counts are data.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let number = text(&rows.buffers)
            .bytes()
            .fold(0, |sum, byte| sum << 8 | u32::from(byte));
        let mut bad = rows;
        bad.nodes[0].length = number;
        emitting::emit(0, &bad, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
