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

/// Makes a [`Source`](crate::Source) the plugin that this crate exports. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_source {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::source::exports::weir::plugin::source_plugin as exported;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$crate::guest::OpenSource<$plugin>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exported::Guest for Exported {
                fn describe() -> exported::Info {
                    $crate::guest::describe::<<$plugin as $crate::Source>::Config>(
                        &<$plugin as $crate::Source>::INFO,
                    )
                }

                fn discover(
                    config: ::std::string::String,
                    run: exported::Run,
                ) -> ::core::result::Result<::std::vec::Vec<exported::StreamInfo>, exported::Error>
                {
                    $crate::guest::discover::<$plugin>(&config, run)
                }

                fn open(
                    config: ::std::string::String,
                    run: exported::Run,
                    stream: ::std::string::String,
                    shard: ::std::string::String,
                    state: ::core::option::Option<::std::string::String>,
                ) -> ::core::result::Result<exported::Schema, exported::Error> {
                    $crate::guest::open(&PLUGIN, &config, run, (&stream, &shard), state.as_deref())
                }

                fn read() -> ::core::result::Result<exported::Page, exported::Error> {
                    $crate::guest::read(&PLUGIN)
                }
            }

            $crate::bindings::source::export_source_world!(Exported with_types_in $crate::bindings::source);
        };
    };
}

/// Makes a [`Fold`](crate::Fold) the plugin that this crate exports. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_fold {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::fold::exports::weir::plugin::folder as exported;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$crate::guest::BoundFold<$plugin>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exported::Guest for Exported {
                fn describe() -> exported::Info {
                    $crate::guest::describe::<<$plugin as $crate::Fold>::Config>(
                        &<$plugin as $crate::Fold>::INFO,
                    )
                }

                fn bind(
                    config: ::std::string::String,
                    run: exported::Run,
                    input: exported::Schema,
                    side_inputs: ::std::vec::Vec<exported::SideInput>,
                ) -> ::core::result::Result<exported::Schema, exported::Error> {
                    $crate::guest::bind_fold(&PLUGIN, &config, run, input, side_inputs)
                }

                fn process(rows: exported::BatchResult) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::process_fold(&PLUGIN, rows)
                }

                fn snapshot() -> ::core::result::Result<::std::vec::Vec<u8>, exported::Error> {
                    $crate::guest::snapshot(&PLUGIN)
                }

                fn merge(snapshot: ::std::vec::Vec<u8>) -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::merge(&PLUGIN, &snapshot)
                }

                fn finish() -> ::core::result::Result<(), exported::Error> {
                    $crate::guest::finish_fold(&PLUGIN)
                }
            }

            $crate::bindings::fold::export_fold_world!(Exported with_types_in $crate::bindings::fold);
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

/// Makes a [`Source`](crate::Source) the plugin that this crate exports. Once in a crate.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_source {
    ($plugin:ty) => {
        const _: $crate::Info = <$plugin as $crate::Source>::INFO;
    };
}

/// Makes a [`Fold`](crate::Fold) the plugin that this crate exports. Once in a crate.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_fold {
    ($plugin:ty) => {
        const _: $crate::Info = <$plugin as $crate::Fold>::INFO;
    };
}
