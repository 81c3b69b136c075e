//! Row 17: drops every row but the first, and says nothing.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &int64(&[7])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
