//! Row 3: a time zone that names a file.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Timestamp(TimestampType {
            unit: TimeUnit::Second,
            zone: Some("../../etc/passwd".into()),
        })])
    }
}

hostile::transform!(Hostile);
