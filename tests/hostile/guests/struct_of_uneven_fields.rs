//! Row 1: a struct whose fields have other lengths than itself.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::Struct, 2),
            field("x", DataType::Int64, 0),
            field("y", DataType::Int64, 0),
        ])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(
            2,
            &[(2, 0), (2, 0), (1, 0)],
            &[b"", b"", &int64(&[1, 2]), b"", &int64(&[1])],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
