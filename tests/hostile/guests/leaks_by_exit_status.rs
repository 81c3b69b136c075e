//! Row 19: exits with success or failure, as its data says: one bit a run.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let bit = text(&rows.buffers).bytes().next().unwrap_or(0) & 1;
        std::process::exit(i32::from(bit))
    }
}

hostile::transform!(Hostile);
