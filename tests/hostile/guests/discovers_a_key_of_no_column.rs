//! Row 3: a primary key of a column that is not there.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let primary_key = vec!["id".into(), "number".into()];
        Ok(vec![StreamInfo {
            primary_key,
            ..people()
        }])
    }
}

hostile::source!(Hostile);
