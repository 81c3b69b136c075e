//! Row 3: opened, it has other columns than were discovered.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn open(_: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        Ok(vec![field("other", DataType::Utf8, 0)])
    }
}

hostile::source!(Hostile);
