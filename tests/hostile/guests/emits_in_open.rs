//! Row 17: a source that emits before its schema is known.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn open(_: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        emit("n");
        Ok(people().schema)
    }
}

hostile::source!(Hostile);
