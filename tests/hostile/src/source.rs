//! World `source`.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "source",
        pub_export_macro: true,
    });
}

pub use bindings::export;
pub use bindings::exports;
pub use bindings::exports::weir::plugin::source_plugin::Guest;
pub use bindings::weir::plugin::types::{
    Batch, DataType, Error, Field, Info, Node, Page, Rule, StreamInfo,
};
pub use bindings::weir::plugin::{host, sourcing};

/// A source of one stream, `people`, that has nothing to read.
pub trait Source {
    /// What it says of itself.
    fn describe() -> Info {
        info()
    }

    /// Takes its configuration.
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let _ = config;
        Ok(vec![people()])
    }

    /// Takes its configuration, and the state behind which it is to go on.
    fn open(config: String, state: Option<String>) -> Result<Vec<Field>, Error> {
        let _ = (config, state);
        Ok(people().schema)
    }

    /// Reads a page.
    fn read() -> Result<Page, Error> {
        done()
    }
}

impl<T: Source> Guest for T {
    fn describe() -> Info {
        <T as Source>::describe()
    }

    fn discover(
        config: String,
        _: bindings::weir::plugin::types::Run,
    ) -> Result<Vec<StreamInfo>, Error> {
        <T as Source>::discover(config)
    }

    fn open(
        config: String,
        _: bindings::weir::plugin::types::Run,
        _: String,
        _: String,
        state: Option<String>,
    ) -> Result<Vec<Field>, Error> {
        <T as Source>::open(config, state)
    }

    fn read() -> Result<Page, Error> {
        <T as Source>::read()
    }
}

/// Exports a type that implements [`Source`].
#[macro_export]
macro_rules! source {
    ($guest:ident) => {
        $crate::source::export!($guest with_types_in $crate::source);
    };
}

/// What an honest source says of itself.
pub fn info() -> Info {
    Info {
        name: "hostile".into(),
        version: "0.1.0".into(),
        description: "Reads nothing.".into(),
        config_schema: "{}".into(),
        columns: Vec::new(),
        rules: vec![Rule {
            name: "odd".into(),
            description: "Records are even.".into(),
        }],
    }
}

/// The stream `people`, of one part, with the columns `id` and `name`.
pub fn people() -> StreamInfo {
    stream(
        "people",
        vec![
            field("id", DataType::Int64, 0),
            field("name", DataType::Utf8, 0),
        ],
    )
}

/// A stream of one part.
pub fn stream(name: &str, schema: Vec<Field>) -> StreamInfo {
    StreamInfo {
        name: name.into(),
        schema,
        cursor: None,
        primary_key: Vec::new(),
        shards: Vec::new(),
    }
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

/// Emits one row of `people`, which is named `name`.
pub fn emit(name: &str) {
    let length = i32::try_from(name.len()).expect("a short name");
    sourcing::emit(&batch(
        1,
        &[(1, 0), (1, 0)],
        &[
            b"",
            &crate::batches::int64(&[1]),
            b"",
            &crate::batches::offsets(&[0, length]),
            name.as_bytes(),
        ],
    ));
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

/// The last page.
pub fn done() -> Result<Page, Error> {
    page("end", true)
}

/// A page.
pub fn page(state: &str, done: bool) -> Result<Page, Error> {
    Ok(Page {
        state: state.into(),
        done,
    })
}
