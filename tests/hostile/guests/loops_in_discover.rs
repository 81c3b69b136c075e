//! Row 4: a source that never says what it has.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        hostile::spin()
    }
}

hostile::source!(Hostile);
