//! Row 3: a 32-bit time of day in nanoseconds, which it cannot hold.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Time32(TimeUnit::Nanosecond)])
    }
}

hostile::transform!(Hostile);
