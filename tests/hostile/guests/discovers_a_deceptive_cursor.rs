//! Row 19: a cursor whose name clears the screen.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let cursor = Some("id\u{1b}[2J".into());
        Ok(vec![StreamInfo { cursor, ..people() }])
    }
}

hostile::source!(Hostile);
