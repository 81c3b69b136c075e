//! World `fold`.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "fold",
        pub_export_macro: true,
    });
}

pub use bindings::export;
pub use bindings::exports;
pub use bindings::exports::weir::plugin::folder::Guest;
pub use bindings::weir::plugin::types::{Batch, DataType, Error, Field, Info, Node};
pub use bindings::weir::plugin::{folding, host};

/// A fold of all rows to none, of the schema of its input.
pub trait Fold {
    /// Takes its configuration and the schema of its input.
    fn bind(config: String, input: Vec<Field>) -> Result<Vec<Field>, Error> {
        let _ = config;
        Ok(input)
    }

    /// Takes a batch.
    fn process(rows: Batch) -> Result<(), Error> {
        let _ = rows;
        Ok(())
    }

    /// Its state.
    fn snapshot() -> Result<Vec<u8>, Error> {
        Ok(vec![1, 2, 3])
    }

    /// Takes the state of another.
    fn merge(snapshot: Vec<u8>) -> Result<(), Error> {
        let _ = snapshot;
        Ok(())
    }

    /// Emits its result.
    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Fold> Guest for T {
    fn describe() -> Info {
        Info {
            name: "hostile".into(),
            version: "0.1.0".into(),
            description: "Folds everything to nothing.".into(),
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
    ) -> Result<Vec<Field>, Error> {
        <T as Fold>::bind(config, input)
    }

    fn process(rows: Batch) -> Result<(), Error> {
        <T as Fold>::process(rows)
    }

    fn snapshot() -> Result<Vec<u8>, Error> {
        <T as Fold>::snapshot()
    }

    fn merge(snapshot: Vec<u8>) -> Result<(), Error> {
        <T as Fold>::merge(snapshot)
    }

    fn finish() -> Result<(), Error> {
        <T as Fold>::finish()
    }
}

/// Exports a type that implements [`Fold`].
#[macro_export]
macro_rules! fold {
    ($guest:ident) => {
        $crate::fold::export!($guest with_types_in $crate::fold);
    };
}

/// The schema of one column, `n`.
pub fn numbers() -> Vec<Field> {
    vec![Field {
        name: "n".into(),
        data_type: DataType::Int64,
        nullable: true,
        children: 0,
    }]
}

/// So many rows of [`numbers`].
pub fn batch(rows: u32) -> Batch {
    Batch {
        rows,
        nodes: vec![Node {
            length: rows,
            null_count: 0,
        }],
        buffers: vec![Vec::new(), vec![7; rows as usize * 8]],
    }
}
