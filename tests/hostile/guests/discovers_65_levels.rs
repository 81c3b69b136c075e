//! Row 3: a stream nested sixty-five levels deep.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let mut fields = vec![field("l", DataType::List, 1); 64];
        fields.push(field("n", DataType::Int64, 0));
        Ok(vec![stream("people", fields)])
    }
}

hostile::source!(Hostile);
