//! Row 11: panics while it says why it panics.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        std::panic::set_hook(Box::new(|_| panic!("again")));
        panic!("once")
    }
}

hostile::transform!(Hostile);
