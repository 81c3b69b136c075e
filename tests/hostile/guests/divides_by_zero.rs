//! Row 11: divides by zero past the compiler's back.

use hostile::transform::*;

/// Safety: none is needed; what cannot be divided traps.
unsafe fn divide(a: i32, b: i32) -> i32 {
    // What rustc would check first, the instruction does not.
    unsafe { a.checked_div(b).unwrap_unchecked() }
}

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let zero = std::hint::black_box(0_i32);
        let none = unsafe { divide(7, zero) };
        Err(Error::Fatal(none.to_string()))
    }
}

hostile::transform!(Hostile);
