//! Row 1: a list of structs one of whose fields is shorter than the list is long.

use hostile::batches::{int64, offsets};
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::List, 1),
            field("item", DataType::Struct, 2),
            field("x", DataType::Int64, 0),
            field("y", DataType::Int64, 0),
        ])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(
            1,
            &[(1, 0), (2, 0), (2, 0), (1, 0)],
            &[
                b"",
                &offsets(&[0, 2]),
                b"",
                b"",
                &int64(&[1, 2]),
                b"",
                &int64(&[1]),
            ],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
