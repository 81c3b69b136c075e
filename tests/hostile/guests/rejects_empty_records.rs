//! Row 9: rejects records of nothing, for no reason, without end.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        loop {
            sourcing::reject("", "", "");
        }
    }
}

hostile::source!(Hostile);
