//! Row 1: a batch without the buffer of its values.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b""]);
        Ok(())
    }
}

hostile::transform!(Hostile);
