//! Row 1: a validity bitmap of one byte for nine rows.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(9, &[(9, 1)], &[&[0xfe], &int64(&[0; 9])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
