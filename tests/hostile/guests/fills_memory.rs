//! Row 5: fills most of its memory, for ever: no single fill can be interrupted.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let mut all = vec![0_u8; hostile::most_of_memory()];
        for turn in 0_u8.. {
            all.fill(std::hint::black_box(turn));
            if turn == u8::MAX {
                break;
            }
        }
        hostile::spin()
    }
}

hostile::transform!(Hostile);
