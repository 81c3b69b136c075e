//! Looking for a needle in all of a guest's own memory.
//!
//! The needle is held XOR-ed, so that a scan cannot find the scanner's own copy.

/// What each byte of a needle is XOR-ed with.
pub const MASK: u8 = 0x5a;

/// The hex digits of a masked needle, as a configuration gives it: `{"needle":"…"}`.
pub fn from_config(config: &str) -> Vec<u8> {
    let Some((_, rest)) = config.split_once("\"needle\":\"") else {
        return Vec::new();
    };
    let digits = rest.split('"').next().unwrap_or_default().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, half| byte << 4 | digit(*half)))
        .collect()
}

/// How often the needle lies anywhere in linear memory, stack and freed memory included.
pub fn count(masked: &[u8]) -> u64 {
    if masked.is_empty() {
        return 0;
    }
    let end = memory_size();
    let last = end - masked.len();
    let mut found = 0;
    for at in 1..=last {
        let hit = masked.iter().enumerate().all(|(index, byte)| {
            // Safety: `at + index < end`, which is how far the memory reaches. What lies there is
            // any bytes at all, which is the point.
            let there = unsafe { std::ptr::read_volatile((at + index) as *const u8) };
            there ^ MASK == *byte
        });
        found += u64::from(hit);
    }
    found
}

#[cfg(target_arch = "wasm32")]
fn memory_size() -> usize {
    core::arch::wasm32::memory_size(0) * 65_536
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_size() -> usize {
    unreachable!("guests run as WebAssembly only")
}
