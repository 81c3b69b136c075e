//! How many requests may begin in a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest single wait; a longer one is several.
const LONGEST_WAIT: f64 = 600.0;

/// A bucket into which requests flow, and from which each takes one. It is full at first, and holds
/// what flows in within a second, or one request if that is less.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: f64,
    /// Held by the request that waits for the bucket; others wait behind it, in order.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    /// When the level was right.
    at: Instant,
}

impl RateLimit {
    /// A limit. `None`: it is no number from 0.001 to 1,000,000.
    pub(crate) fn new(per_second: f64) -> Option<RateLimit> {
        (0.001..=1e6).contains(&per_second).then(|| RateLimit {
            per_second,
            turn: tokio::sync::Mutex::new(()),
            bucket: Mutex::new(Bucket {
                level: per_second.max(1.0),
                at: Instant::now(),
            }),
        })
    }

    /// Waits until a request may begin. One that is given up takes nothing.
    pub(crate) async fn ready(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let missing = {
                let mut bucket = self.bucket();
                if bucket.level >= 1.0 {
                    bucket.level -= 1.0;
                    return;
                }
                1.0 - bucket.level
            };
            let wait = (missing / self.per_second).min(LONGEST_WAIT);
            // Rounded up, so that the request is there when the wait is over.
            let wait = Duration::from_secs_f64(wait) + Duration::from_millis(1);
            tokio::time::sleep(wait).await;
        }
    }

    /// The bucket as it is now.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let flowed = now.duration_since(bucket.at).as_secs_f64() * self.per_second;
        bucket.level = (bucket.level + flowed).min(self.per_second.max(1.0));
        bucket.at = now;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(limit: &RateLimit, requests: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..requests {
            limit.ready().await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_seconds_worth_begins_at_once_and_the_rest_waits() {
        let limit = RateLimit::new(5.0).unwrap();
        assert_eq!(seconds_for(&limit, 5).await, 0.0);
        let ten_more = seconds_for(&limit, 10).await;
        assert!((2.0..2.1).contains(&ten_more), "{ten_more}");
        // What was not used for a long time is a second's worth, not more.
        tokio::time::sleep(Duration::from_secs(100)).await;
        let ten_more = seconds_for(&limit, 10).await;
        assert!((1.0..1.1).contains(&ten_more), "{ten_more}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_below_one_lets_the_first_request_through() {
        let limit = RateLimit::new(0.001).unwrap();
        assert_eq!(seconds_for(&limit, 1).await, 0.0);
        let one_more = seconds_for(&limit, 1).await;
        assert!((1000.0..1001.0).contains(&one_more), "{one_more}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_takes_nothing() {
        let limit = RateLimit::new(1.0).unwrap();
        limit.ready().await;
        let given_up = tokio::time::timeout(Duration::from_millis(500), limit.ready()).await;
        assert!(given_up.is_err());
        let next = seconds_for(&limit, 1).await;
        assert!((0.5..0.6).contains(&next), "{next}");
    }

    #[test]
    fn limits_that_are_none_are_refused() {
        for wrong in [0.0, -1.0, 1e7, f64::NAN, f64::INFINITY] {
            assert!(RateLimit::new(wrong).is_none(), "{wrong}");
        }
    }
}
