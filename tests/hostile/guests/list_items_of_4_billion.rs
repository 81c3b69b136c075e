//! Row 2: four billion items, of which none is there.

use hostile::batches::offsets;
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
            &[(1, 0), (u32::MAX, 0)],
            &[b"", &offsets(&[0, 1]), b"", b""],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
