//! World `decoder`.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "decoder",
        pub_export_macro: true,
    });
}

pub use bindings::export;
pub use bindings::exports;
pub use bindings::exports::weir::plugin::decoder_plugin::Guest;
pub use bindings::weir::plugin::types::{Batch, DataType, Error, Field, Info, Node};
pub use bindings::weir::plugin::{decoding, host};

/// A decoder of nothing, whose one column `text` is a string.
pub trait Decoder {
    /// Takes its configuration.
    fn bind(config: String) -> Result<Vec<Field>, Error> {
        let _ = config;
        Ok(vec![Field {
            name: "text".into(),
            data_type: DataType::Utf8,
            nullable: true,
            children: 0,
        }])
    }

    /// Takes the next bytes.
    fn decode(bytes: Vec<u8>) -> Result<(), Error>;

    /// The file has ended.
    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Decoder> Guest for T {
    fn describe() -> Info {
        Info {
            name: "hostile".into(),
            version: "0.1.0".into(),
            description: "Decodes nothing.".into(),
            config_schema: "{}".into(),
            columns: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn bind(
        config: String,
        _: bindings::weir::plugin::types::Run,
        _: Vec<bindings::weir::plugin::types::SideInput>,
    ) -> Result<Vec<Field>, Error> {
        <T as Decoder>::bind(config)
    }

    fn decode(bytes: Vec<u8>) -> Result<(), Error> {
        <T as Decoder>::decode(bytes)
    }

    fn finish() -> Result<(), Error> {
        <T as Decoder>::finish()
    }
}

/// Exports a type that implements [`Decoder`].
#[macro_export]
macro_rules! decoder {
    ($guest:ident) => {
        $crate::decoder::export!($guest with_types_in $crate::decoder);
    };
}
