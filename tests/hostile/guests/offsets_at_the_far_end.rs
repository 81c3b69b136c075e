//! Row 2: an offset at the end of what 32 bits hold, and no bytes at all.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &offsets(&[0, i32::MAX]), b""]);
        Ok(())
    }
}

hostile::transform!(Hostile);
