//! Row 19: returns data in a typed error.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        Err(Error::Data(text(&rows.buffers)))
    }
}

hostile::transform!(Hostile);
