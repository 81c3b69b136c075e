//! Random numbers that are the same on every platform.

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014;
/// constants as in Vigna's public-domain `splitmix64.c`). Seeding costs nothing, so each row of a
/// file has a generator of its own.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers that belong to `row` of `stream` under `seed`.
    pub(crate) fn of(seed: u64, stream: u64, row: u64) -> Self {
        Self(mix(mix(seed ^ mix(stream)) ^ row))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `end - 1`; 0 where `end` is 0. The bias of multiply-and-shift is at most
    /// `end` in 2^64.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// True in `part` of `whole` cases.
    pub(crate) fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One of the values, each as likely as the others.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, values: &[T; N]) -> T {
        const { assert!(N > 0) };
        let at = self.below(N as u64) as usize;
        *values.get(at).expect("a number below N is an index")
    }

    /// One of the values, as likely as its weight.
    pub(crate) fn weighted<T: Copy, const N: usize>(&mut self, values: &[(T, u64); N]) -> T {
        const { assert!(N > 0) };
        let mut at = self.below(values.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in values {
            if at < *weight {
                return *value;
            }
            at -= weight;
        }
        values.first().expect("N is more than 0").0
    }
}

/// SplitMix64's finaliser: a bijection of 64 bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_those_of_the_reference() {
        let mut random = Random(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Random::of(1, 2, 3);
        let hits = (0..10_000)
            .filter(|_| random.weighted(&[("a", 3), ("b", 1)]) == "a")
            .count();
        assert!((7_300..7_700).contains(&hits), "{hits}");
    }
}
