//! Row 3: a stream of a hundred thousand parts.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let shards = (0..100_000).map(|index: u32| index.to_string()).collect();
        Ok(vec![StreamInfo { shards, ..people() }])
    }
}

hostile::source!(Hostile);
