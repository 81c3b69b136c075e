//! Row 11: a source that ends as a program does that has done its work.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        std::process::exit(0)
    }
}

hostile::source!(Hostile);
