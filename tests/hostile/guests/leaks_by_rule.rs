//! Row 19: puts data into the name of a rule.

use hostile::batches::text;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::reject(&[0], &text(&rows.buffers), "");
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
