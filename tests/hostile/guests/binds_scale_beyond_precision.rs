//! Row 3: decimals of precision 5 and scale 6.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Decimal128(DecimalType {
            precision: 5,
            scale: 6,
        })])
    }
}

hostile::transform!(Hostile);
