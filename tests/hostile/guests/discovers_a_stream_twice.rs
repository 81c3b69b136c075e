//! Row 3: two streams of one name.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        Ok(vec![people(), people()])
    }
}

hostile::source!(Hostile);
