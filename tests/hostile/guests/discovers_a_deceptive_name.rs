//! Row 19: a stream whose name clears the screen.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        Ok(vec![stream("people\u{1b}[2J", people().schema)])
    }
}

hostile::source!(Hostile);
