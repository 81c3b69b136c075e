//! Row 3: decimals of precision 200 and scale 0.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Decimal128(DecimalType {
            precision: 200,
            scale: 0,
        })])
    }
}

hostile::transform!(Hostile);
