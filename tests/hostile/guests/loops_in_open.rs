//! Row 4: a source that never is ready to read.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn open(_: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        hostile::spin()
    }
}

hostile::source!(Hostile);
