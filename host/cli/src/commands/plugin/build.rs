//! `weir plugin build`.

use weir_components::sha256;

use super::component;
use crate::args::BuildArgs;
use crate::commands::print;
use crate::failure::Failure;
use crate::table::thousands;

pub(crate) fn run(args: &BuildArgs) -> Result<u8, Failure> {
    let built = weir_workbench::build(&args.folder)?;
    let bytes = component(&built.component)?;
    print(&format!(
        "{}: {} bytes, sha256 {}\n",
        built.component.display(),
        thousands(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        sha256(&bytes)
    ))?;
    Ok(0)
}
