//! Row 1: a decimal of five digits where three were bound.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Decimal128(DecimalType {
            precision: 3,
            scale: 0,
        })])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(1, &[(1, 0)], &[b"", &10_000_i128.to_le_bytes()]);
        Ok(())
    }
}

hostile::transform!(Hostile);
