//! Row 11: emits a row and ends; so does the page after an honest one.

use hostile::source::*;

static PAGES: hostile::Counter = hostile::Counter::new();

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        if PAGES.next() == 2 {
            std::process::abort();
        }
        page("1", false)
    }
}

hostile::source!(Hostile);
