//! Row 17: a source that rejects a record of nothing.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn open(_: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        sourcing::reject("a record", "odd", "no");
        Ok(people().schema)
    }
}

hostile::source!(Hostile);
