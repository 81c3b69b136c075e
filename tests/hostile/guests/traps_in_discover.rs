//! Row 11: a source that ends before it says what it has.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        std::process::abort()
    }
}

hostile::source!(Hostile);
