//! Row 2: a column of four billion values in a batch of one row.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(u32::MAX, 0)], &[b"", &int64(&[1])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
