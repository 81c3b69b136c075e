//! A response's body, held to what the grant allows.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::Body as _;
use tokio::time::Sleep;

use crate::host::Host;
use crate::record::Line;
use crate::refusal::{Awaited, Refusal};

/// A response's body: its bytes as they were sent, in the chunks in which they come. Nothing is
/// decompressed, and trailers are left out.
///
/// It ends with a [`Refusal`] if there are more bytes than the grant allows, if the next ones take too
/// long, or if the connection breaks; whoever reads it has to tell these from its end. Time passes only
/// while somebody waits for a chunk. The record counts the bytes as they pass. A body that is
/// dropped is read no further.
pub struct Body {
    /// `None` once it has ended.
    inner: Option<Pin<Box<reqwest::Body>>>,
    /// Runs while a chunk is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    timeout: Duration,
    allowed: u64,
    received: u64,
    host: Host,
    authority: String,
    line: Line,
}

impl Body {
    pub(crate) fn new(
        inner: reqwest::Body,
        timeout: Duration,
        allowed: u64,
        host: Host,
        authority: String,
        line: Line,
    ) -> Body {
        Body {
            inner: Some(Box::pin(inner)),
            sleep: None,
            timeout,
            allowed,
            received: 0,
            host,
            authority,
            line,
        }
    }

    fn end(&mut self, refusal: Refusal) -> Poll<Option<Result<Bytes, Refusal>>> {
        self.inner = None;
        self.sleep = None;
        self.line.refused(refusal.code());
        Poll::Ready(Some(Err(refusal)))
    }

    fn pass(&mut self, chunk: Bytes) -> Poll<Option<Result<Bytes, Refusal>>> {
        self.sleep = None;
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        self.line.received(length);
        if self.received > self.allowed {
            let refusal = Refusal::TooLarge {
                host: self.authority.clone(),
                allowed: self.allowed,
            };
            return self.end(refusal);
        }
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        loop {
            let Some(inner) = &mut body.inner else {
                return Poll::Ready(None);
            };
            match inner.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    // An empty chunk is no progress: the time goes on.
                    Ok(chunk) if !chunk.is_empty() => return body.pass(chunk),
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    let refusal = Refusal::failed(error, &body.host, &body.authority);
                    return body.end(refusal);
                }
                Poll::Ready(None) => {
                    body.inner = None;
                    body.sleep = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => break,
            }
        }
        let timeout = body.timeout;
        let sleep = body
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let refusal = Refusal::Timeout {
            host: body.authority.clone(),
            awaited: Awaited::Chunk,
            after: timeout,
        };
        body.end(refusal)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("host", &self.authority)
            .field("received", &self.received)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}
