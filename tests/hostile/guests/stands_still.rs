//! Row 4: page after page of nothing, all with one state.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        page("here", false)
    }
}

hostile::source!(Hostile);
