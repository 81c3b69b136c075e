//! Row 13: asks for every secret it can think of.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let names = ["token", "other", "", "*", "TOKEN", "../token"];
        let got: Vec<String> = names.iter().filter_map(|name| secrets::get(name)).collect();
        Err(Error::Data(got.join("; ")))
    }
}

hostile::transform!(Hostile);
