//! Row 19: panics with data in its last words.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        panic!("{}", text(&rows.buffers))
    }
}

hostile::transform!(Hostile);
