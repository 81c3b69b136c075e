//! Row 10: a million rows out of the first one, in one batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Boolean])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1_000_000, &[(1_000_000, 0)], &[b"", &[0; 125_000]]);
        Ok(())
    }
}

hostile::transform!(Hostile);
