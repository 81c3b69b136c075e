//! Row 9: streams of nine mebibytes together.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let mut people = people();
        people.shards = vec!["s".repeat(9 << 20)];
        Ok(vec![people])
    }
}

hostile::source!(Hostile);
