//! Row 1: says there are no nulls while its bitmap has one.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, 0)], &[&[0b01], &int64(&[1, 2])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
