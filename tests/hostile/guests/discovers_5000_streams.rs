//! Row 3: five thousand streams.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let name = |index: u32| stream(&index.to_string(), vec![field("n", DataType::Int64, 0)]);
        Ok((0..5000).map(name).collect())
    }
}

hostile::source!(Hostile);
