//! The measured transforms as a plugin that uses Weir's SDK.

use weir_plugin::prelude::*;

#[path = "../../../shared/kernels.rs"]
mod kernels;
#[path = "../../../shared/rows.rs"]
mod rows;
#[path = "../../../shared/transforms.rs"]
mod transforms;
#[path = "../../../shared/work.rs"]
mod work;

use work::Work;

struct Measured {
    work: Work,
    output: SchemaRef,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What to do with each batch.
    work: Work,
}

impl Transform for Measured {
    type Config = Config;

    const INFO: Info = Info {
        name: "bench-transforms",
        version: env!("CARGO_PKG_VERSION"),
        description: "The transforms that Weir's benchmarks measure.",
        columns: &[],
        rules: &[],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let (work, output) = (config.work, config.work.output(&context.input));
        Ok((
            Self {
                work,
                output: output.clone(),
            },
            Output::only(output),
        ))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        out.emit(&self.work.run(rows, &self.output)?);
        Ok(())
    }
}

weir_plugin::export_transform!(Measured);
