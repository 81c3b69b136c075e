//! Row 1: a thousand rows with no values.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1000, &[(1000, 0)], &[b"", b""]);
        Ok(())
    }
}

hostile::transform!(Hostile);
