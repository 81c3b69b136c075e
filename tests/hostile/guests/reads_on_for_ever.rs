//! Row 4: page after page of nothing, each with a state of its own.

use hostile::source::*;

static PAGES: hostile::Counter = hostile::Counter::new();

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        page(&PAGES.next().to_string(), false)
    }
}

hostile::source!(Hostile);
