//! Row 3: opened, it has five thousand columns.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn open(_: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        let fields = (0..5000).map(|index| field(&index.to_string(), DataType::Int64, 0));
        Ok(fields.collect())
    }
}

hostile::source!(Hostile);
