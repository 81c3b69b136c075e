//! What all segments of a scan may use together.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};

/// The longest single wait; a longer one is several.
const LONGEST_WAIT: f64 = 600.0;

/// A limit of capacity units per second. Clones share it, and so do all scans they are given to.
///
/// It is a bucket into which units flow, at most those of one second. A page takes out what the last
/// page took, and what it really took when its reply says so. While the bucket is in debt pages wait,
/// in the order in which they were asked for. So the units of a time never exceed those that flowed in
/// by more than those of a second and what the first pages take.
#[derive(Clone)]
pub struct RateLimit {
    shared: Arc<Shared>,
}

struct Shared {
    units_per_second: f64,
    /// Held by the page that waits for the bucket; others wait behind it.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    /// Units; below zero where there is debt.
    level: f64,
    /// When the level was right.
    at: Instant,
    /// What the next page will take, as far as is known.
    expected: f64,
}

impl RateLimit {
    /// A limit, with its bucket empty and without debt: the first page does not wait.
    ///
    /// # Errors
    /// The limit is not a number from 0.01 to 1,000,000,000.
    pub fn new(units_per_second: f64) -> Result<RateLimit> {
        if !(0.01..=1e9).contains(&units_per_second) {
            return Err(Error::setting(
                "units per second",
                "are no number from 0.01 to 1,000,000,000",
                "a unit reads 8 KiB, or 4 KiB in consistent reads: give part of what the table has",
            ));
        }
        Ok(RateLimit {
            shared: Arc::new(Shared {
                units_per_second,
                turn: tokio::sync::Mutex::new(()),
                bucket: Mutex::new(Bucket {
                    level: 0.0,
                    at: Instant::now(),
                    expected: 0.0,
                }),
            }),
        })
    }

    /// The limit.
    pub fn units_per_second(&self) -> f64 {
        self.shared.units_per_second
    }

    /// Waits until the bucket is without debt, and takes out what a page is expected to take. The
    /// next page waits behind this one.
    pub(crate) async fn ready(&self) -> Taken {
        let _turn = self.shared.turn.lock().await;
        loop {
            let debt = {
                let mut bucket = self.bucket();
                if bucket.level >= 0.0 {
                    let units = bucket.expected;
                    bucket.level -= units;
                    return Taken {
                        limit: self.clone(),
                        units,
                    };
                }
                -bucket.level
            };
            let wait = (debt / self.shared.units_per_second).min(LONGEST_WAIT);
            // Rounded up, so that the debt is paid when the wait is over.
            let wait = Duration::from_secs_f64(wait) + Duration::from_millis(1);
            tokio::time::sleep(wait).await;
        }
    }

    /// The bucket as it is now.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        let bucket = self.shared.bucket.lock();
        // Nothing that holds it can panic between two changes that belong together.
        let mut bucket = bucket.unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let flowed = (now - bucket.at).as_secs_f64() * self.shared.units_per_second;
        bucket.level = (bucket.level + flowed).min(self.shared.units_per_second);
        bucket.at = now;
        bucket
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("units_per_second", &self.shared.units_per_second)
            .finish_non_exhaustive()
    }
}

/// What was taken out for a page. Where nobody knows what the page took, as after a connection that
/// broke, that stays out.
#[must_use]
pub(crate) struct Taken {
    limit: RateLimit,
    units: f64,
}

impl Taken {
    /// The page took these units, a finite number.
    pub(crate) fn took(self, units: f64) {
        let mut bucket = self.limit.bucket();
        bucket.level += self.units - units;
        bucket.expected = units;
    }

    /// The page was refused and took none.
    pub(crate) fn took_none(self) {
        self.limit.bucket().level += self.units;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_sensible_number() {
        for units in [0.0, -1.0, 0.009, 1.1e9, f64::NAN, f64::INFINITY] {
            assert!(RateLimit::new(units).is_err(), "{units}");
        }
    }

    /// Reads pages in several segments, each page in `page_ms`; gives the seconds.
    async fn read(limit: &RateLimit, segments: u32, pages: u32, units: f64, page_ms: u64) -> f64 {
        let start = Instant::now();
        let segment = |limit: RateLimit| async move {
            for _ in 0..pages {
                let taken = limit.ready().await;
                tokio::time::sleep(Duration::from_millis(page_ms)).await;
                taken.took(units);
            }
        };
        let all: Vec<_> = (0..segments)
            .map(|_| tokio::spawn(segment(limit.clone())))
            .collect();
        for one in all {
            one.await.unwrap();
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn one_segment_keeps_to_the_limit() {
        let limit = RateLimit::new(100.0).unwrap();
        // The first page does not wait, the others for what was taken before them.
        let seconds = read(&limit, 1, 21, 50.0, 0).await;
        assert!((9.5..10.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn segments_share_the_limit() {
        let limit = RateLimit::new(100.0).unwrap();
        let seconds = read(&limit, 8, 25, 10.0, 40).await;
        // 2,000 units, of which the eight first pages may come before anything is known.
        assert!((18.0..20.5).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_does_not_wait() {
        let limit = RateLimit::new(100.0).unwrap();
        let seconds = read(&limit, 1, 10, 50.0, 1000).await;
        assert!((10.0..10.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn units_of_idle_time_are_kept_for_one_second() {
        let limit = RateLimit::new(100.0).unwrap();
        limit.ready().await.took(10.0);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let seconds = read(&limit, 1, 31, 10.0, 0).await;
        assert!((1.9..2.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_lets_others_through() {
        let limit = RateLimit::new(10.0).unwrap();
        limit.ready().await.took(100.0);
        let waiting = tokio::time::timeout(Duration::from_secs(1), limit.ready()).await;
        assert!(waiting.is_err());
        let start = Instant::now();
        limit.ready().await.took_none();
        assert!((8.9..9.1).contains(&start.elapsed().as_secs_f64()));
        // What was refused costs nothing.
        let start = Instant::now();
        limit.ready().await.took_none();
        assert!(start.elapsed().as_secs_f64() < 0.1);
    }
}
