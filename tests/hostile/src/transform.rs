//! World `transform`.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "transform-with-secrets",
        pub_export_macro: true,
    });
}

pub use bindings::export;
pub use bindings::exports;
pub use bindings::exports::weir::plugin::transformer::Guest;
pub use bindings::weir::plugin::types::{
    Batch, DataType, DecimalType, Error, Field, Info, Node, Output, Rule, TimeUnit, TimestampType,
};
pub use bindings::weir::plugin::{emitting, host, secrets};

/// A transform that gives back what it is given.
pub trait Transform {
    /// What it says of itself.
    fn describe() -> Info {
        info()
    }

    /// Takes its configuration and the schema of its input.
    fn bind(config: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        let _ = config;
        output(input)
    }

    /// Takes a batch.
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(0, &rows, None);
        Ok(())
    }

    /// Its input has ended.
    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Transform> Guest for T {
    fn describe() -> Info {
        <T as Transform>::describe()
    }

    fn bind(
        config: String,
        _: bindings::weir::plugin::types::Run,
        input: Vec<Field>,
        _: Vec<bindings::weir::plugin::types::SideInput>,
    ) -> Result<Vec<Output>, Error> {
        <T as Transform>::bind(config, input)
    }

    fn process(rows: Batch) -> Result<(), Error> {
        <T as Transform>::process(rows)
    }

    fn finish() -> Result<(), Error> {
        <T as Transform>::finish()
    }
}

/// Exports a type that implements [`Transform`].
#[macro_export]
macro_rules! transform {
    ($guest:ident) => {
        $crate::transform::export!($guest with_types_in $crate::transform);
    };
}

/// What an honest transform says of itself.
pub fn info() -> Info {
    Info {
        name: "hostile".into(),
        version: "0.1.0".into(),
        description: "Gives back what it is given.".into(),
        config_schema: "{}".into(),
        columns: Vec::new(),
        rules: vec![Rule {
            name: "odd".into(),
            description: "Rows are even.".into(),
        }],
    }
}

/// One output, `out`, of this schema.
pub fn output(schema: Vec<Field>) -> Result<Vec<Output>, Error> {
    Ok(vec![Output {
        name: "out".into(),
        schema,
    }])
}

/// A nullable field.
pub fn field(name: &str, data_type: DataType, children: u32) -> Field {
    Field {
        name: name.into(),
        data_type,
        nullable: true,
        children,
    }
}

/// One output with a column of each type, `a`, `b` and so on, in which nothing is nested.
pub fn columns<const N: usize>(types: [DataType; N]) -> Result<Vec<Output>, Error> {
    let letters = 'a'..='z';
    output(
        letters
            .zip(types)
            .map(|(letter, data_type)| field(&letter.to_string(), data_type, 0))
            .collect(),
    )
}

/// Emits to output 0 a batch whose rows all come from the first row of the input.
pub fn emit(rows: u32, nodes: &[(u32, u32)], buffers: &[&[u8]]) {
    let batch = batch(rows, nodes, buffers);
    emitting::emit(0, &batch, Some(&vec![0; rows as usize]));
}

/// A batch; nodes are (length, null count).
pub fn batch(rows: u32, nodes: &[(u32, u32)], buffers: &[&[u8]]) -> Batch {
    let node = |&(length, null_count): &(u32, u32)| Node { length, null_count };
    Batch {
        rows,
        nodes: nodes.iter().map(node).collect(),
        buffers: buffers.iter().map(|buffer| buffer.to_vec()).collect(),
    }
}
