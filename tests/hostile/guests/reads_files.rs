//! Row 13: opens, lists, makes and removes files wherever they may be.

use hostile::transform::*;

/// What it got, in words; nothing where it got nothing.
fn look() -> Vec<String> {
    let mut got = Vec::new();
    for path in [
        "/",
        ".",
        "/etc/passwd",
        "/proc/self/environ",
        "../..",
        "/tmp",
        "/dev/urandom",
    ] {
        if std::fs::read(path).is_ok() || std::fs::read_dir(path).is_ok() {
            got.push(format!("read {path}"));
        }
        let new = format!("{path}/weir-was-here");
        if std::fs::write(&new, "x").is_ok() || std::fs::create_dir(&new).is_ok() {
            got.push(format!("wrote {new}"));
        }
    }
    if let Ok(dir) = std::env::current_dir().and_then(std::fs::read_dir) {
        got.push(format!("{} files of the working folder", dir.count()));
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
