//! Row 1: offsets whose last one has three bytes.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &offsets(&[0, 1])[..7], b"a"]);
        Ok(())
    }
}

hostile::transform!(Hostile);
