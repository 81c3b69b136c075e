//! Row 10: emits batches of no rows to a schema of four thousand columns, for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let names = (0..4000).map(|index| index.to_string());
        output(names.map(|name| field(&name, DataType::Utf8, 0)).collect())
    }

    fn process(_: Batch) -> Result<(), Error> {
        let nothing = batch(0, &[(0, 0); 4000], &[&b""[..]; 12_000]);
        loop {
            emitting::emit(0, &nothing, Some(&[]));
        }
    }
}

hostile::transform!(Hostile);
