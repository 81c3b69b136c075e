//! Row 8: recurses with large frames, and so runs off the stack in linear memory.

use hostile::transform::*;

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[(depth % 64) as usize]
}

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let reached = recurse(0);
        Err(Error::Fatal(reached.to_string()))
    }
}

hostile::transform!(Hostile);
