//! The export macros. In a component they implement the world's exports; natively they only
//! check that the type is a plugin, so that its crate builds and tests anywhere.

/// Makes a [`Transform`](crate::Transform) the plugin that this crate exports. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::transform::exports::weir::plugin::transformer as exported;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$crate::guest::BoundTransform<$plugin>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exported::Guest for Exported {
                fn describe() -> exported::Info {
                    $crate::guest::describe::<<$plugin as $crate::Transform>::Config>(
                        &<$plugin as $crate::Transform>::INFO,
                    )
                }

                fn bind(
                    config: ::std::string::String,
                    run: exported::Run,
                    input: exported::Schema,
                    side_inputs: ::std::vec::Vec<exported::SideInput>,
                ) -> ::core::result::Result<::std::vec::Vec<exported::Output>, exported::Error>
                {
                    $crate::guest::bind_transform(&PLUGIN, &config, run, input, side_inputs)
                }

                fn process(
                    rows: exported::BatchResult,
                ) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::process_transform(&PLUGIN, rows)
                }

                fn finish() -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::finish_transform(&PLUGIN)
                }
            }

            $crate::bindings::transform::export_transform_world!(
                Exported with_types_in $crate::bindings::transform
            );
        };
    };
}

/// Makes a [`Check`](crate::Check) the plugin that this crate exports. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_check {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::check::exports::weir::plugin::checker as exported;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$crate::guest::BoundCheck<$plugin>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exported::Guest for Exported {
                fn describe() -> exported::Info {
                    $crate::guest::describe::<<$plugin as $crate::Check>::Config>(&<$plugin as $crate::Check>::INFO)
                }

                fn bind(
                    config: ::std::string::String,
                    run: exported::Run,
                    input: exported::Schema,
                    side_inputs: ::std::vec::Vec<exported::SideInput>,
                ) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::bind_check(&PLUGIN, &config, run, input, side_inputs)
                }

                fn process(rows: exported::BatchResult) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::process_check(&PLUGIN, rows)
                }

                fn finish() -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::finish_check(&PLUGIN)
                }
            }

            $crate::bindings::check::export_check_world!(Exported with_types_in $crate::bindings::check);
        };
    };
}

/// Makes a [`Decoder`](crate::Decoder) the plugin that this crate exports. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_decoder {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::decoder::exports::weir::plugin::decoder_plugin as exported;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$crate::guest::BoundDecoder<$plugin>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exported::Guest for Exported {
                fn describe() -> exported::Info {
                    $crate::guest::describe::<<$plugin as $crate::Decoder>::Config>(
                        &<$plugin as $crate::Decoder>::INFO,
                    )
                }

                fn bind(
                    config: ::std::string::String,
                    run: exported::Run,
                    side_inputs: ::std::vec::Vec<exported::SideInput>,
                ) -> ::core::result::Result<exported::Schema, exported::Error> {
                    $crate::guest::bind_decoder(&PLUGIN, &config, run, side_inputs)
                }

                fn decode(bytes: ::std::vec::Vec<u8>) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::decode(&PLUGIN, &bytes)
                }

                fn finish() -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::finish_decoder(&PLUGIN)
                }
            }

            $crate::bindings::decoder::export_decoder_world!(Exported with_types_in $crate::bindings::decoder);
        };
    };
}

/// Makes a [`Transform`](crate::Transform) the plugin that this crate exports. Once in a crate.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        const _: $crate::Info = <$plugin as $crate::Transform>::INFO;
    };
}

/// Makes a [`Check`](crate::Check) the plugin that this crate exports. Once in a crate.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_check {
    ($plugin:ty) => {
        const _: $crate::Info = <$plugin as $crate::Check>::INFO;
    };
}

/// Makes a [`Decoder`](crate::Decoder) the plugin that this crate exports. Once in a crate.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_decoder {
    ($plugin:ty) => {
        const _: $crate::Info = <$plugin as $crate::Decoder>::INFO;
    };
}
