//! Row 19: a part whose name forges a line of whatever it is shown in.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let shards = vec!["a\nerror: forged".into()];
        Ok(vec![StreamInfo { shards, ..people() }])
    }
}

hostile::source!(Hostile);
