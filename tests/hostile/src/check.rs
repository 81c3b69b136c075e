//! World `check`.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "check",
        pub_export_macro: true,
    });
}

pub use bindings::export;
pub use bindings::exports;
pub use bindings::exports::weir::plugin::checker::Guest;
pub use bindings::weir::plugin::types::{Batch, Error, Field, Info, Rule};
pub use bindings::weir::plugin::{host, judging};

/// A check that finds nothing.
pub trait Check {
    /// Takes its configuration and the schema of its input.
    fn bind(config: String, input: Vec<Field>) -> Result<(), Error> {
        let _ = (config, input);
        Ok(())
    }

    /// Takes a batch.
    fn process(rows: Batch) -> Result<(), Error>;

    /// Its input has ended.
    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Check> Guest for T {
    fn describe() -> Info {
        Info {
            name: "hostile".into(),
            version: "0.1.0".into(),
            description: "Finds nothing.".into(),
            config_schema: "{}".into(),
            columns: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn bind(
        config: String,
        _: bindings::weir::plugin::types::Run,
        input: Vec<Field>,
        _: Vec<bindings::weir::plugin::types::SideInput>,
    ) -> Result<(), Error> {
        <T as Check>::bind(config, input)
    }

    fn process(rows: Batch) -> Result<(), Error> {
        <T as Check>::process(rows)
    }

    fn finish() -> Result<(), Error> {
        <T as Check>::finish()
    }
}

/// Exports a type that implements [`Check`].
#[macro_export]
macro_rules! check {
    ($guest:ident) => {
        $crate::check::export!($guest with_types_in $crate::check);
    };
}
