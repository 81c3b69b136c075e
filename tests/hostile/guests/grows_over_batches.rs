//! Row 7: keeps every batch, until there is no memory left.

use std::cell::RefCell;

use hostile::transform::*;

thread_local! {
static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let kept = std::hint::black_box(vec![1_u8; 6 << 20]);
        KEPT.with_borrow_mut(|all| all.push(kept));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
