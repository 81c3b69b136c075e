//! Row 17: a source that emits before anything is open.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        emit("n");
        Ok(vec![people()])
    }
}

hostile::source!(Hostile);
