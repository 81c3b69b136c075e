//! What wit-bindgen makes of `wit/0.1`: one module for each world, sharing `types` and `host`. An import that
//! a plugin does not use, `secrets` among them, is not in its component.
//!
//! Imports borrow (`&[&[u8]]`), so that a batch is emitted without a copy inside the guest;
//! exports own (`Vec<Vec<u8>>`), so that buffers move into Arrow. The modules compile natively
//! too, where the conversions are tested; calling an import there is a bug.

pub mod transform {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "weir:plugin/transform-with-secrets",
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_transform_world",
        default_bindings_module: "weir_plugin::bindings::transform",
    });
}

pub mod check {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "weir:plugin/check-with-secrets",
        with: {
            "weir:plugin/types@0.1.0": crate::bindings::transform::weir::plugin::types,
            "weir:plugin/host@0.1.0": crate::bindings::transform::weir::plugin::host,
            "weir:plugin/side-inputs@0.1.0": crate::bindings::transform::weir::plugin::side_inputs,
            "weir:plugin/secrets@0.1.0": crate::bindings::transform::weir::plugin::secrets,
        },
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_check_world",
        default_bindings_module: "weir_plugin::bindings::check",
    });
}

pub mod source {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "weir:plugin/source-with-secrets",
        with: {
            "weir:plugin/types@0.1.0": crate::bindings::transform::weir::plugin::types,
            "weir:plugin/host@0.1.0": crate::bindings::transform::weir::plugin::host,
            "weir:plugin/secrets@0.1.0": crate::bindings::transform::weir::plugin::secrets,
        },
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_source_world",
        default_bindings_module: "weir_plugin::bindings::source",
    });
}

pub mod fold {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "weir:plugin/fold-with-secrets",
        with: {
            "weir:plugin/types@0.1.0": crate::bindings::transform::weir::plugin::types,
            "weir:plugin/host@0.1.0": crate::bindings::transform::weir::plugin::host,
            "weir:plugin/side-inputs@0.1.0": crate::bindings::transform::weir::plugin::side_inputs,
            "weir:plugin/secrets@0.1.0": crate::bindings::transform::weir::plugin::secrets,
        },
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_fold_world",
        default_bindings_module: "weir_plugin::bindings::fold",
    });
}

pub mod decoder {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "weir:plugin/decoder-with-secrets",
        with: {
            "weir:plugin/types@0.1.0": crate::bindings::transform::weir::plugin::types,
            "weir:plugin/host@0.1.0": crate::bindings::transform::weir::plugin::host,
            "weir:plugin/side-inputs@0.1.0": crate::bindings::transform::weir::plugin::side_inputs,
            "weir:plugin/secrets@0.1.0": crate::bindings::transform::weir::plugin::secrets,
        },
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_decoder_world",
        default_bindings_module: "weir_plugin::bindings::decoder",
    });
}
