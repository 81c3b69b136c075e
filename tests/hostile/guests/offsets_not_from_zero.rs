//! Row 1: text whose offsets begin past zero.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &offsets(&[2, 3]), b"abc"]);
        Ok(())
    }
}

hostile::transform!(Hostile);
