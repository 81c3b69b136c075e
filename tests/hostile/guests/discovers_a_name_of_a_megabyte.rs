//! Row 3: a stream whose name has a mebibyte.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        Ok(vec![stream(&"n".repeat(1 << 20), people().schema)])
    }
}

hostile::source!(Hostile);
