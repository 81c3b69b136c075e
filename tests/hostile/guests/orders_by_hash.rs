//! Row 16: emits numbers in the order in which a hash map holds them.

use std::collections::HashMap;

use hostile::batches::int64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Int64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        let map: HashMap<i64, ()> = (0..1000).map(|key| (key, ())).collect();
        let keys: Vec<i64> = map.into_keys().collect();
        emit(1000, &[(1000, 0)], &[b"", &int64(&keys)]);
        Ok(())
    }
}

hostile::transform!(Hostile);
