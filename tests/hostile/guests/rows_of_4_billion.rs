//! Row 2: a batch of four billion rows.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Boolean])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emitting::emit(0, &batch(u32::MAX, &[(u32::MAX, 0)], &[b"", b""]), None);
        Ok(())
    }
}

hostile::transform!(Hostile);
