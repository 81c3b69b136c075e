//! Row 1: a decoder that gives the bytes of its file as text, whatever they are.

use hostile::batches::offsets;
use hostile::decoder::*;

struct Hostile;

impl Decoder for Hostile {
    fn decode(bytes: Vec<u8>) -> Result<(), Error> {
        let end = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let node = Node {
            length: 1,
            null_count: 0,
        };
        decoding::emit(&Batch {
            rows: 1,
            nodes: vec![node],
            buffers: vec![Vec::new(), offsets(&[0, end]), bytes],
        });
        Ok(())
    }
}

hostile::decoder!(Hostile);
