//! Row 19: what it has read, in a rejected record, its rule's words and its message.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        sourcing::reject("kanarienvogel", "odd", "kanarienvogel");
        Err(Error::Data("kanarienvogel".into()))
    }
}

hostile::source!(Hostile);
