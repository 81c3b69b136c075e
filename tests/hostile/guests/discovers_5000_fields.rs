//! Row 3: a stream of five thousand columns.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let fields = (0..5000).map(|index| field(&index.to_string(), DataType::Int64, 0));
        Ok(vec![stream("people", fields.collect())])
    }
}

hostile::source!(Hostile);
