//! Row 1: says there are more nulls than its bitmap has.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, 2)], &[&[0b01], &int64(&[1, 2])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
