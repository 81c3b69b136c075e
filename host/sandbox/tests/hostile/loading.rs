//! Rows 13 to 16: what is refused before any of it runs.

use std::time::{Duration, Instant};

use weir_sandbox::{MAX_COMPONENT, SandboxError};

use crate::field::Attack;

#[track_caller]
fn refused(guest: &'static str) -> SandboxError {
    Attack::by(guest).run().error.expect("it must be refused")
}

/// Guests that ask for what nobody is given.
macro_rules! forbidden {
    ($($name:ident => $import:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let error = refused(stringify!($name));
            let SandboxError::ForbiddenImport { import, .. } = &error else {
                panic!("refused otherwise: {error}");
            };
            assert_eq!(import, $import);
            assert!(error.to_string().contains($import), "{error}");
        }
    )*};
}

forbidden! {
    imports_http => "wasi:http/outgoing-handler@0.2.0",
    imports_http_in_a_fold => "wasi:http/outgoing-handler@0.2.0",
    imports_http_of_0_3 => "wasi:http/client@0.3.0",
    imports_incoming_http => "wasi:http/incoming-handler@0.2.0",
    imports_what_folds_import => "weir:plugin/folding@0.1.0",
    imports_what_sources_import => "weir:plugin/sourcing@0.1.0",
    imports_sockets_of_0_3 => "wasi:sockets/types@0.3.0",
    imports_files_of_0_3 => "wasi:filesystem/types@0.3.0",
    imports_keyvalue => "wasi:keyvalue/store@0.2.0",
    imports_a_host_of_another_track => "weir:plugin/host@0.2.0",
    imports_what_checks_import => "weir:plugin/judging@0.1.0",
    imports_an_unknown_interface => "weir:plugin/network@0.1.0",
    imports_a_function => "launch",
    imports_a_module => "libc",
    imports_a_resource => "handle",
    imports_a_name_that_deceives => "wasi:cli/environment-x@0.2.0",
    imports_wasi_without_version => "wasi:cli/environment",
}

/// Guests of the right names and other types, or of none.
macro_rules! mistyped {
    ($($name:ident => $part:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let error = refused(stringify!($name));
            let SandboxError::WrongTypes { source, .. } = &error else {
                panic!("refused otherwise: {error}");
            };
            assert!(source.to_string().contains($part), "{source}");
        }
    )*};
}

mistyped! {
    imports_a_host_of_other_types => "weir:plugin/host@0.1.0",
    imports_a_function_the_host_lacks => "weir:plugin/host@0.1.0",
    exports_other_types => "type mismatch",
    exports_no_functions => "lacks describe",
    exports_a_module_for_a_function => "not a function",
}

/// Guests of a track that is not this one, or of none.
macro_rules! off_track {
    ($($name:ident => $track:expr),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let error = refused(stringify!($name));
            let SandboxError::WrongTrack { found, .. } = &error else {
                panic!("refused otherwise: {error}");
            };
            assert_eq!(found.as_deref(), $track, "{error}");
        }
    )*};
}

off_track! {
    exports_another_track => Some("0.9"),
    exports_a_version_that_is_none => Some("0.1"),
    exports_nothing => None,
}

/// Guests that are something else.
macro_rules! not_a_component {
    ($($name:ident => $found:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let error = refused(stringify!($name));
            let SandboxError::NotAComponent { found, .. } = &error else {
                panic!("refused otherwise: {error}");
            };
            assert_eq!(*found, $found);
        }
    )*};
}

not_a_component! {
    is_a_core_module => "a core WebAssembly module",
    is_empty => "an empty file",
    is_native_code => "native code",
}

/// Guests that are no WebAssembly, or use what is off.
macro_rules! does_not_compile {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let error = refused(stringify!($name));
            assert!(matches!(error, SandboxError::Compile { .. }), "{error}");
        }
    )*};
}

does_not_compile! {
    imports_a_component,
    is_cut_short,
    is_noise,
    jumps_100000_ways,
    uses_64_bit_memory,
    uses_exceptions,
    uses_garbage_collection,
    uses_relaxed_simd,
    uses_threads,
}

#[test]
pub(crate) fn weighs_65_mebibytes() {
    let error = refused("weighs_65_mebibytes");
    let SandboxError::TooLarge { size, allowed, .. } = error else {
        panic!("refused otherwise: {error}");
    };
    assert_eq!((size, allowed), (65 << 20, MAX_COMPONENT));
}

/// Bombs: a compiler in a child process ends at its limits, or is done within them; this process grows
/// by no more than the component and its code.
macro_rules! bombs {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let began = Instant::now();
            let outcome = Attack::by(stringify!($name)).in_a_child().run();
            let how = match &outcome.error {
                None => "compiled, and was harmless".to_owned(),
                Some(
                    error @ (SandboxError::Compile { .. }
                    | SandboxError::CompileLimit { .. }
                    | SandboxError::Limit { .. }),
                ) => error.to_string(),
                Some(error) => panic!("{error}"),
            };
            let took = began.elapsed();
            eprintln!("{}: {took:.1?}: {how}", stringify!($name));
            assert!(took < Duration::from_secs(120), "{took:?}");
        }
    )*};
}

bombs! {
    has_20000_functions,
    has_20000_types,
    has_16_mebibytes_of_data,
    has_50000_locals,
    has_a_huge_function,
    nests_20000_blocks,
}
