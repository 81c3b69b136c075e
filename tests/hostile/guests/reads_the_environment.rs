//! Row 13: looks for variables, arguments and standard input.

use hostile::transform::*;

/// What it got, in words; nothing where it got nothing.
fn look() -> Vec<String> {
    let mut got = Vec::new();
    got.extend(std::env::vars().map(|(name, _)| name));
    got.extend(std::env::args());
    if std::io::stdin()
        .lines()
        .next()
        .is_some_and(|line| line.is_ok())
    {
        got.push("a line of stdin".into());
    }
    got
}

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let got = look();
        Err(Error::Data(got.join("; ")))
    }
}

hostile::transform!(Hostile);
