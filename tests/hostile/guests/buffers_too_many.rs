//! Row 1: a hundred thousand buffers for one column.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        let buffers: Vec<&[u8]> = vec![b"12345678"; 100_000];
        emit(1, &[(1, 0)], &buffers);
        Ok(())
    }
}

hostile::transform!(Hostile);
