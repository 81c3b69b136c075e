//! Which failures are tried again, how often, and after what time.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use http_body_util::LengthLimitError;
use tokio::time::Instant;

use crate::error::{BoxError, Error};
use crate::settings::Retry;

/// What is asked, for errors to name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// As policies name it.
    pub(crate) action: &'static str,
    pub(crate) table: &'a str,
    /// The endpoint or the region.
    pub(crate) place: &'a str,
}

/// How one attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Too many requests; this one took no capacity.
    Throttled { code: String },
    /// The server is at fault.
    Server { status: u16 },
    /// No connection, or one that broke or took too long.
    Connection { source: BoxError },
    /// Another attempt would fail in the same way.
    Final(Error),
}

/// How a reply was lost.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("there was no reply")]
    Before,
    #[error("the connection broke within a reply")]
    Within,
    #[error("the reply took too long")]
    Time,
}

const THROTTLED: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];
const DENIED: [&str; 3] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
];
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
const NOT_ACCEPTED: [&str; 9] = [
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl Failure {
    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>, asked: Asked<'_>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(error) => {
                let status = error.raw().status().as_u16();
                match error.err().code() {
                    Some(code) => Failure::coded(status, word(code), asked),
                    None => Failure::without_code(status, asked),
                }
            }
            SdkError::ResponseError(error) => {
                let status = error.raw().status().as_u16();
                let error = SdkError::<E, HttpResponse>::ResponseError(error);
                if chain(&error).any(|cause| cause.is::<LengthLimitError>()) {
                    return asked.no_reply("it is longer than any page");
                }
                match status {
                    500.. => Failure::Server { status },
                    _ => Failure::connection(Lost::Within),
                }
            }
            SdkError::TimeoutError(_) => Failure::connection(Lost::Time),
            SdkError::DispatchFailure(failure) => {
                let error = SdkError::<E, HttpResponse>::DispatchFailure(failure);
                let credentials = chain(&error).any(|cause| cause.is::<CredentialsError>());
                let source = match error.into_source() {
                    Ok(source) => source,
                    Err(_) => Box::new(Lost::Before),
                };
                match credentials {
                    true => Failure::Final(Error::NoCredentials { source }),
                    false => Failure::Connection { source },
                }
            }
            SdkError::ConstructionFailure(_) => Failure::Final(Error::setting(
                "endpoint",
                "gives no address that a request can be sent to",
                "check the endpoint and the region",
            )),
            // The enum may grow with the client's versions.
            _ => Failure::connection(Lost::Before),
        }
    }

    fn connection(lost: Lost) -> Failure {
        Failure::Connection {
            source: Box::new(lost),
        }
    }

    fn coded(status: u16, code: String, asked: Asked<'_>) -> Failure {
        let is_of = |codes: &[&str]| codes.contains(&code.as_str());
        if is_of(&THROTTLED) || status == 429 {
            return Failure::Throttled { code };
        }
        if status >= 500 {
            return Failure::Server { status };
        }
        let Asked {
            action,
            table,
            place,
        } = asked;
        let table = table.to_owned();
        Failure::Final(if code == "ResourceNotFoundException" {
            let place = place.to_owned();
            Error::NoTable { table, place }
        } else if is_of(&DENIED) {
            Error::Denied { action, table }
        } else if is_of(&EXPIRED) {
            Error::ExpiredCredentials { code }
        } else if is_of(&NOT_ACCEPTED) {
            Error::BadCredentials { code }
        } else {
            Error::Refused {
                action,
                table,
                code,
            }
        })
    }

    fn without_code(status: u16, asked: Asked<'_>) -> Failure {
        match status {
            429 => Failure::Throttled {
                code: "status 429".to_owned(),
            },
            500.. => Failure::Server { status },
            400.. => asked.no_reply("it is an error without a code"),
            300.. => asked.no_reply("it sends elsewhere"),
            _ => asked.no_reply("it is not the JSON that was asked for"),
        }
    }
}

impl Asked<'_> {
    fn no_reply(self, what: &'static str) -> Failure {
        Failure::Final(self.reply(what))
    }

    /// The reply cannot be used.
    pub(crate) fn reply(self, what: &'static str) -> Error {
        Error::Reply {
            place: self.place.to_owned(),
            action: self.action,
            what,
        }
    }
}

/// A code of an error, if it is a word: a reply may hold anything.
fn word(code: &str) -> String {
    let word = code.len() <= 64
        && !code.is_empty()
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    match word {
        true => code.to_owned(),
        false => "a code that is no word".to_owned(),
    }
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The attempts of one request.
pub(crate) struct Attempts {
    retry: Retry,
    made: u32,
    /// What attempts and pauses took.
    took: Duration,
}

impl Attempts {
    pub(crate) fn new(retry: Retry) -> Attempts {
        Attempts {
            retry,
            made: 0,
            took: Duration::ZERO,
        }
    }

    /// Waits until the request may be tried again, after an attempt that began at `begun` and failed.
    ///
    /// # Errors
    /// The request may not be tried again.
    pub(crate) async fn failed(
        &mut self,
        begun: Instant,
        failure: Failure,
        asked: Asked<'_>,
    ) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        self.took = self.took.saturating_add(begun.elapsed());
        if let Failure::Final(error) = failure {
            return Err(error);
        }
        let pause = longest_pause(self.retry, self.made).mul_f64(fastrand::f64());
        let spent = self.took.saturating_add(pause);
        if self.made >= self.retry.attempts || spent >= self.retry.total {
            return Err(self.given_up(failure, asked));
        }
        tracing::debug!(
            action = asked.action,
            table = asked.table,
            attempt = self.made,
            pause_ms = pause.as_millis(),
            failure = failure.kind(),
            "the request is tried again"
        );
        tokio::time::sleep(pause).await;
        self.took = spent;
        Ok(())
    }

    fn given_up(&self, failure: Failure, asked: Asked<'_>) -> Error {
        let Attempts { made, took, .. } = *self;
        let place = asked.place.to_owned();
        match failure {
            Failure::Throttled { code } => Error::Throttled {
                table: asked.table.to_owned(),
                code,
                attempts: made,
                took,
            },
            Failure::Server { status } => Error::Failing {
                place,
                status,
                attempts: made,
                took,
            },
            Failure::Connection { source } => Error::Unreachable {
                place,
                attempts: made,
                took,
                source,
            },
            Failure::Final(error) => error,
        }
    }
}

impl Failure {
    fn kind(&self) -> &'static str {
        match self {
            Failure::Throttled { .. } => "throttled",
            Failure::Server { .. } => "server",
            Failure::Connection { .. } => "connection",
            Failure::Final(_) => "final",
        }
    }
}

/// The longest that the pause after `made` attempts may be.
fn longest_pause(retry: Retry, made: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(made.saturating_sub(1))
        .and_then(|factor| retry.first.checked_mul(factor));
    doubled.unwrap_or(retry.longest).min(retry.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked {
        action: "dynamodb:Scan",
        table: "t",
        place: "eu-north-1",
    };

    fn throttled() -> Failure {
        Failure::Throttled {
            code: "ThrottlingException".to_owned(),
        }
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retry = Retry {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(2),
            ..Retry::default()
        };
        let pauses =
            [1, 2, 3, 5, 6, 32, 33, u32::MAX].map(|made| longest_pause(retry, made).as_millis());
        assert_eq!(pauses, [100, 200, 400, 1600, 2000, 2000, 2000, 2000]);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_a_random_part() {
        let retry = Retry {
            attempts: u32::MAX,
            total: Duration::MAX,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(1),
        };
        let mut attempts = Attempts::new(retry);
        let mut pauses = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            attempts.failed(begun, throttled(), ASKED).await.unwrap();
            pauses.push(begun.elapsed().as_secs_f64());
        }
        assert!(pauses.iter().all(|pause| *pause <= 1.01), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause < 0.2), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause > 0.8), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_by_count() {
        let retry = Retry {
            attempts: 3,
            ..Retry::default()
        };
        let mut attempts = Attempts::new(retry);
        let now = Instant::now();
        attempts.failed(now, throttled(), ASKED).await.unwrap();
        attempts
            .failed(Instant::now(), throttled(), ASKED)
            .await
            .unwrap();
        let error = attempts.failed(Instant::now(), throttled(), ASKED).await;
        assert!(
            matches!(error, Err(Error::Throttled { attempts: 3, .. })),
            "{error:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_by_time() {
        let retry = Retry {
            attempts: u32::MAX,
            total: Duration::from_secs(60),
            ..Retry::default()
        };
        let start = Instant::now();
        let mut attempts = Attempts::new(retry);
        let error = loop {
            let begun = Instant::now();
            tokio::time::sleep(Duration::from_secs(5)).await;
            if let Err(error) = attempts
                .failed(begun, Failure::Server { status: 503 }, ASKED)
                .await
            {
                break error;
            }
        };
        assert!(
            matches!(error, Error::Failing { status: 503, .. }),
            "{error:?}"
        );
        let took = start.elapsed().as_secs();
        assert!((40..=65).contains(&took), "{took}");
    }

    #[test]
    fn codes_are_words_or_not_shown() {
        assert_eq!(word("ValidationException"), "ValidationException");
        for code in ["", "a b", "a\n", &"a".repeat(65)] {
            assert_eq!(word(code), "a code that is no word");
        }
    }
}
