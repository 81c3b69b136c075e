//! Row 19: logs data.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        host::log(host::Level::Warn, &text(&rows.buffers));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
