use arrow::array::{Array, Float64Array};

/// Values that one turn of the loop rounds: so many that the deadline check of a turn costs little.
const BLOCK: usize = 16;

/// Rounds to `places` decimal places, halves away from zero: each value is
/// `(value * 10^places).round() / 10^places`, in these steps and with their errors. Nulls stay;
/// places beyond 22, whose power of ten a float cannot hold exactly, leave values as they are.
pub fn round(values: &Float64Array, places: u8) -> Float64Array {
    let scale = match i32::from(places) {
        0 => None,
        places @ 1..=22 => Some(10_f64.powi(places)),
        _ => return values.clone(),
    };
    let mut rounded = vec![0.0; values.len()];
    match scale {
        Some(scale) => each(values.values(), &mut rounded, |value| {
            half_away(value * scale) / scale
        }),
        None => each(values.values(), &mut rounded, half_away),
    }
    Float64Array::new(rounded.into(), values.nulls().cloned())
}

/// `f64::round`, in operations that WebAssembly has for two values at once: the largest number below
/// one half, with the value's sign, and what is behind the point cut off.
#[inline(always)]
fn half_away(value: f64) -> f64 {
    (value + 0.499_999_999_999_999_94_f64.copysign(value)).trunc()
}

/// Maps `values` into `out`, which is as long, block by block.
// Any engine that runs plugins has these instructions, so the author need not ask for them.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn each(values: &[f64], out: &mut [f64], map: impl Fn(f64) -> f64) {
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
    for (block, out) in blocks.iter().zip(out_blocks) {
        for (value, out) in block.iter().zip(out) {
            *out = map(*value);
        }
    }
    for (value, out) in rest.iter().zip(out_rest) {
        *out = map(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_as_the_standard_library_rounds() {
        let mut values = vec![
            0.0,
            -0.0,
            0.5,
            -0.5,
            1.5,
            2.5,
            0.005,
            1.005,
            -1.005,
            2.675,
            1e-300,
            1e300,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            0.499_999_999_999_999_94,
            4_503_599_627_370_495.5,
            4_503_599_627_370_497.0,
            9_007_199_254_740_991.0,
        ];
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        values.extend((0..2_000).map(|i| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if i % 2 == 0 {
                f64::from_bits(bits)
            } else {
                (bits >> 40) as f64 / 1_000.0
            }
        }));
        let array = Float64Array::from(values.clone());
        for places in [0, 1, 2, 5, 22] {
            let scale = 10_f64.powi(places);
            let rounded = round(&array, places as u8);
            for (value, rounded) in values.iter().zip(rounded.values()) {
                let expected = match places {
                    0 => value.round(),
                    _ => (value * scale).round() / scale,
                };
                assert!(
                    rounded.to_bits() == expected.to_bits()
                        || rounded.is_nan() && expected.is_nan(),
                    "{value:e} to {places} places: {rounded:e}, not {expected:e}"
                );
            }
        }
        assert_eq!(round(&array.slice(0, 16), 23), array.slice(0, 16));
    }

    #[test]
    fn nulls_and_slices_stay() {
        let array = Float64Array::from(vec![Some(1.255), None, Some(-3.284), None, Some(2.0)]);
        let rounded = round(&array.slice(1, 3), 2);
        assert_eq!(rounded, Float64Array::from(vec![None, Some(-3.28), None]));
        assert_eq!(round(&array.slice(0, 0), 2).len(), 0);
    }
}
