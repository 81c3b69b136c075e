//! Row 9: a state that is a byte too long.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        page(&"s".repeat((64 << 10) + 1), false)
    }
}

hostile::source!(Hostile);
