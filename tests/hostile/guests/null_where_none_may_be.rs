//! Row 1: a null in a column whose schema has none.

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![Field {
            nullable: false,
            ..field("a", DataType::Int64, 0)
        }])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 1)], &[&[0], &int64(&[1])]);
        Ok(())
    }
}

hostile::transform!(Hostile);
