//! Row 19: prints data as an error, without a line end.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        eprint!("{}", text(&rows.buffers));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
