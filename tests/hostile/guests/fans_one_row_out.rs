//! Row 10: a hundred thousand rows out of the first one, in one batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Boolean])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(100_000, &[(100_000, 0)], &[b"", &[0; 12_500]]);
        Ok(())
    }
}

hostile::transform!(Hostile);
