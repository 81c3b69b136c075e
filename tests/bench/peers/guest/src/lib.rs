//! The measured transforms as functions of arrow-udf, built for wasm32-wasip1.
//!
//! Twice: as its authors write them, with its macro, one row a call; and over its ABI with the very
//! source that Weir's plugin has, one batch a call, which is the best it can do.

use arrow::array::RecordBatch;
use arrow_udf::ffi::{CSlice, scalar_wrapper};
use arrow_udf::function;
use arrow_udf::types::StructType;

#[path = "../../../shared/transforms.rs"]
mod transforms;

use transforms::{cents, group_of, interest_on, owed, tidy_name};

#[derive(StructType)]
struct Tidied {
    id: i64,
    name: Option<String>,
    amount: Option<f64>,
}

#[function("tidy_row(int64, string, float64) -> struct Tidied")]
fn tidy_row(id: i64, name: Option<&str>, amount: Option<f64>) -> Tidied {
    Tidied {
        id,
        name: name.map(tidy_name),
        amount: amount.map(cents),
    }
}

#[derive(StructType)]
struct Settled {
    id: i64,
    due: Option<f64>,
    interest: Option<f64>,
    group: i64,
}

#[function("settle_row(int64, float64, float64, float64, float64) -> struct Settled")]
fn settle_row(id: i64, billed: f64, allowed: Option<f64>, rate: f64, days: f64) -> Settled {
    let due = allowed.map(|allowed| owed(billed, allowed, rate));
    Settled {
        id,
        due,
        interest: due.map(|due| interest_on(due, rate, days)),
        group: group_of(id),
    }
}

/// Exports a function over batches. The name is the ABI's: a signature in base 64. The runtime looks a
/// function up by it and does not hold the batches against it, so any return type will do.
macro_rules! export_batch_function {
    ($export:literal, $name:ident, $function:expr) => {
        #[unsafe(export_name = $export)]
        unsafe extern "C" fn $name(pointer: *const u8, length: usize, answer: *mut CSlice) -> i32 {
            // SAFETY: the runtime upholds what the ABI demands of its caller.
            unsafe { scalar_wrapper($function, pointer, length, answer) }
        }
    };
}

// identity(int64,string,float64)->int64
export_batch_function!(
    "arrowudf_aWRlbnRpdHkoaW50NjQsc3RyaW5nLGZsb2F0NjQpLT5pbnQ2NA",
    identity,
    |rows: &RecordBatch| Ok(rows.clone())
);
// tidy(int64,string,float64)->int64
export_batch_function!(
    "arrowudf_dGlkeShpbnQ2NCxzdHJpbmcsZmxvYXQ2NCktPmludDY0",
    tidy,
    |rows: &RecordBatch| transforms::tidy(rows, &transforms::tidied())
);
// settle(int64,float64,float64,float64,float64)->int64
export_batch_function!(
    "arrowudf_c2V0dGxlKGludDY0LGZsb2F0NjQsZmxvYXQ2NCxmbG9hdDY0LGZsb2F0NjQpLT5pbnQ2NA",
    settle,
    |rows: &RecordBatch| transforms::settle(rows, &transforms::settled())
);
