//! Row 1: a state that is not UTF-8.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        // Safety: none; nothing here looks at it again, and the host has to.
        let state = unsafe { String::from_utf8_unchecked(vec![b's', 0xff, 0xfe]) };
        Ok(Page { state, done: false })
    }
}

hostile::source!(Hostile);
