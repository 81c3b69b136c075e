//! Row 10: one page of rows without end.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        loop {
            emit("somebody of no interest");
        }
    }
}

hostile::source!(Hostile);
