//! Row 2: says there are four billion nulls among two values, and has no bitmap.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, u32::MAX)], &[b"", &int64(&[1, 2])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
