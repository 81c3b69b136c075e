//! Row 17: a decoder that emits before there is a file.

use hostile::decoder::*;

struct Hostile;

impl Decoder for Hostile {
    fn bind(_: String) -> Result<Vec<Field>, Error> {
        decoding::emit(&Batch {
            rows: 0,
            nodes: Vec::new(),
            buffers: Vec::new(),
        });
        Err(Error::Fatal("unreached".into()))
    }

    fn decode(_: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

hostile::decoder!(Hostile);
