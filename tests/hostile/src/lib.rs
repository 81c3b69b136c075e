//! What the hostile guests share: the bindings of the worlds, and for each a trait that is
//! honest until a guest overrides a method.
//!
//! A guest is one file in `guests/`, named for what it does, with an entry in this crate's
//! Cargo.toml. It is built for wasm32-wasip2 against the bare contract, without the SDK, which would
//! keep it from misbehaving. Attacks that Rust cannot express lie in `text/`, as WebAssembly text.

#![allow(
    clippy::missing_safety_doc,
    clippy::too_many_arguments,
    reason = "generated code"
)]

pub mod batches;
pub mod check;
pub mod decoder;
pub mod fold;
pub mod http;
pub mod needle;
pub mod source;
pub mod transform;

/// Never comes back.
pub fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// Which call of some kind this is, counted from 1.
pub struct Counter(std::sync::atomic::AtomicU64);

impl Counter {
    /// Counts from zero.
    pub const fn new() -> Self {
        Self(std::sync::atomic::AtomicU64::new(0))
    }

    /// The next number; the first is 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

/// As many bytes as can be had while sixteenths of a mebibyte are left for the rest: asked for by
/// halves, so that what is denied costs nothing.
pub fn most_of_memory() -> usize {
    let mut bytes = 1_usize << 30;
    while bytes > 1 << 20 {
        let mut probe: Vec<u8> = Vec::new();
        if probe.try_reserve_exact(bytes).is_ok() {
            return bytes;
        }
        bytes -= bytes / 8;
    }
    bytes
}
