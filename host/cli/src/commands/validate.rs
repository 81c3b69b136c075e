//! `weir validate`.

use crate::args::ValidateArgs;
use crate::commands::{print, print_json};
use crate::failure::Failure;

pub(crate) fn run(args: &ValidateArgs) -> Result<u8, Failure> {
    if args.schema {
        print_json(&weir_pipeline::json_schema())?;
        return Ok(0);
    }
    let file = args.pipeline.load()?;
    let given = args.pipeline.given()?;
    if given.is_empty() {
        file.check()?;
    } else {
        file.resolve(&given)?;
    }
    if args.resolved {
        let given = (!given.is_empty()).then_some(&given);
        print(&file.resolved_toml(given)?)?;
    } else {
        eprintln!("{} is valid", args.pipeline.pipeline.display());
    }
    Ok(0)
}
