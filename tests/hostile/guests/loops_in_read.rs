//! Row 4: a page that never ends.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("kept by nobody");
        hostile::spin()
    }
}

hostile::source!(Hostile);
