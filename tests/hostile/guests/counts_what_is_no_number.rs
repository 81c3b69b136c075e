//! Row 9: adds infinity and what is no number to its metrics.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        host::metric("seen", 1.0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            host::metric("seen", value);
        }
        host::metric("sum", f64::MAX);
        host::metric("sum", f64::MAX);
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
