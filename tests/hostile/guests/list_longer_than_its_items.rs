//! Row 1: a list that reaches past its items.

use hostile::batches::{int64, offsets};
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        output(vec![
            field("a", DataType::List, 1),
            field("item", DataType::Int64, 0),
        ])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(
            1,
            &[(1, 0), (1, 0)],
            &[b"", &offsets(&[0, 2]), b"", &int64(&[1])],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
