//! Row 3: a part that is there twice, and would be read twice.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let shards = vec!["a".into(), "b".into(), "a".into()];
        Ok(vec![StreamInfo { shards, ..people() }])
    }
}

hostile::source!(Hostile);
