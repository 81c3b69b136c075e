//! Row 4: a decoder that never decodes.

use hostile::decoder::*;

struct Hostile;

impl Decoder for Hostile {
    fn decode(_: Vec<u8>) -> Result<(), Error> {
        hostile::spin()
    }
}

hostile::decoder!(Hostile);
