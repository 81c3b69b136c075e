//! Row 16: other columns each time that it is asked.

use hostile::source::*;

static CALLS: hostile::Counter = hostile::Counter::new();

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        // What differs from call to call, where clock and dice do not.
        match CALLS.next() % 2 {
            1 => Ok(vec![people()]),
            _ => Ok(vec![stream(
                "people",
                vec![field("other", DataType::Utf8, 0)],
            )]),
        }
    }
}

hostile::source!(Hostile);
