//! Row 3: the last of four thousand columns, a hundred thousand times in the primary key.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let fields = (0..4000).map(|index| field(&index.to_string(), DataType::Int64, 0));
        Ok(vec![StreamInfo {
            primary_key: vec!["3999".into(); 100_000],
            ..stream("people", fields.collect())
        }])
    }
}

hostile::source!(Hostile);
