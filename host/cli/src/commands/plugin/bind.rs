//! `weir plugin bind`.

use weir_engine::plan::Planner;
use weir_sandbox::World;
use weir_workbench::{RowSchemas, rust_rows};

use crate::args::{BindArgs, BindLanguageArg};
use crate::commands::{print, resources, sandbox};
use crate::failure::Failure;

pub(crate) async fn run(args: &BindArgs) -> Result<u8, Failure> {
    let pipeline = args.pipeline.resolve()?;
    let name = pipeline.name.clone();
    let sandbox = sandbox()?;
    let planner = Planner {
        sandbox: &sandbox,
        components: args.components.settings(),
        stores: None,
        lake: args.lake.as_deref(),
        isolate: false,
        full_refresh: false,
        replay: false,
        aside: None,
        resources: resources()?,
    };
    let given = planner.given(pipeline, &args.step, args.stage).await?;
    if matches!(given.world, World::Decoder | World::Source) && given.output.is_none() {
        return Err(Failure::usage(format!(
            "{}: a decoder is given bytes, and the file does not declare the columns that it gives",
            given.label
        ))
        .hint("declare them with `schema` in `read`"));
    }
    let about = [
        format!(
            "Rows of plugin '{}' in {} of pipeline '{name}', written by `weir plugin bind`.",
            given.plugin, given.label
        ),
        "Leave out the columns that the plugin does not look at.".to_owned(),
    ];
    let schemas = RowSchemas {
        given: given.input.as_deref(),
        made: given.output.as_deref(),
    };
    match args.lang {
        BindLanguageArg::Rust => print(&rust_rows(schemas, &about))?,
    }
    Ok(0)
}
