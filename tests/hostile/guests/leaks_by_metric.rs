//! Row 19: puts data into the name of a metric.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        host::metric(&text(&rows.buffers), 1.0);
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
