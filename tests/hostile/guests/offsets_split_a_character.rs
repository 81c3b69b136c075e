//! Row 1: valid UTF-8 whose offsets cut a character in half.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, 0)], &[b"", &offsets(&[0, 1, 2]), "é".as_bytes()]);
        Ok(())
    }
}

hostile::transform!(Hostile);
