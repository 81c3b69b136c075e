//! Row 1: text whose offsets fall.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, 0)], &[b"", &offsets(&[0, 5, 3]), b"abcde"]);
        Ok(())
    }
}

hostile::transform!(Hostile);
