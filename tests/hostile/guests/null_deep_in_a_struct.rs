//! Row 1: a null in a field of a struct that has none by its schema.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::Struct, 1),
            Field {
                nullable: false,
                ..field("x", DataType::Int64, 0)
            },
        ])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0), (1, 1)], &[b"", &[0], &int64(&[1])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
