//! Row 1: text that is not UTF-8: a lone continuation byte, an overlong form, a surrogate.

use hostile::batches::offsets;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Utf8])
    }

    fn process(_: Batch) -> Result<(), Error> {
        emit(
            1,
            &[(1, 0)],
            &[b"", &offsets(&[0, 6]), b"\x80\xc0\xaf\xed\xa0\x80"],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
