//! Row 19: rejects a record for a reason that is on no list.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        sourcing::reject("a record", "made_up", "no");
        done()
    }
}

hostile::source!(Hostile);
