//! Writes the seeds of a fuzz target to a folder: `seeds TARGET DIR`.
//!
//! A corpus begins with them: `cargo xtask fuzz --minimise` merges what it grew to.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use weir_fuzzing::TARGETS;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: seeds TARGET DIR".into());
    };
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.ok_or_else(|| format!("there is no target '{name}'"))?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    for (index, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{index:04}")), seed)?;
    }
    Ok(())
}
