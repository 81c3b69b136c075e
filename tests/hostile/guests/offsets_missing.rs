//! Row 1: rows of text without any offsets.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(2, &[(2, 0)], &[b"", b"", b"ab"]);
        Ok(())
    }
}

hostile::transform!(Hostile);
