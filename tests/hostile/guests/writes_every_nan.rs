//! Row 16: makes values that are not numbers in every way it knows, and emits their bits.

use hostile::batches::float64;
use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        columns([DataType::Float64])
    }

    fn process(_: Batch) -> Result<(), Error> {
        let zero = std::hint::black_box(0.0_f64);
        let other = std::hint::black_box(0.0_f64);
        let odd = f64::from_bits(std::hint::black_box(0x7ff4_dead_beef_0001));
        let values = [
            zero / other,
            -(zero / other),
            odd + 1.0,
            odd * zero,
            (odd as f32) as f64,
            odd.sqrt(),
        ];
        let values: Vec<f64> = values.into_iter().map(std::hint::black_box).collect();
        emit(
            values.len() as u32,
            &[(values.len() as u32, 0)],
            &[b"", &float64(&values)],
        );
        Ok(())
    }
}

hostile::transform!(Hostile);
