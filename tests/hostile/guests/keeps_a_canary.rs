//! Row 12: looks for what an earlier batch left behind, in a static, in grown memory and in the
//! whole of linear memory; then leaves a canary of its own. Says by a metric how often it saw one.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use hostile::needle;
use hostile::transform::*;

static STATIC: AtomicU64 = AtomicU64::new(0);

thread_local! {
static SCANS: Cell<bool> = const { Cell::new(false) };
}

/// Made up when it is needed, so that the component itself does not hold it.
fn canary() -> u64 {
    std::hint::black_box(0xfeed_0000_0000_beef_u64) | std::hint::black_box(0x0000_cafe_f00d_0000)
}

struct Hostile;

impl Transform for Hostile {
    fn bind(config: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        SCANS.set(config.contains("scan"));
        output(input)
    }

    fn process(rows: Batch) -> Result<(), Error> {
        let mut seen = STATIC.swap(canary(), Ordering::Relaxed) == canary();
        let grown = core::arch::wasm32::memory_grow(0, 1);
        if grown != usize::MAX {
            let page = (grown * 65_536) as *mut u64;
            // Safety: the page was granted just now, and nothing else knows of it.
            unsafe {
                seen |= page.read_volatile() == canary();
                page.write_volatile(canary());
            }
        }
        if SCANS.get() {
            let masked: Vec<u8> = canary()
                .to_le_bytes()
                .iter()
                .map(|byte| byte ^ needle::MASK)
                .collect();
            // Its own two copies, and what is left of them in registers that were spilled.
            host::metric("found", needle::count(&masked) as f64);
        }
        host::metric("seen", f64::from(u8::from(seen)));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
