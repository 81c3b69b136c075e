//! Row 1: an offset one past the end of the bytes.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &offsets(&[0, 4]), b"abc"]);
        Ok(())
    }
}

hostile::transform!(Hostile);
