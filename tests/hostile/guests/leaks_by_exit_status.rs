//! Row 19: exits with a byte of data as its status.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        std::process::exit(i32::from(text(&rows.buffers).bytes().next().unwrap_or(0)))
    }
}

hostile::transform!(Hostile);
