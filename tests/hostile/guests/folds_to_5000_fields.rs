//! Row 3: a result of five thousand columns.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Field>, Error> {
        let name = |index: u32| Field {
            name: index.to_string(),
            ..numbers().remove(0)
        };
        Ok((0..5000).map(name).collect())
    }
}

hostile::fold!(Hostile);
