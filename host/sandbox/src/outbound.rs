//! Requests that a source makes: handed to whoever runs the sandbox, which has no network of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http_body_util::{BodyExt, Limited, StreamBody};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::guest_text::{MAX_TEXT, escape};

/// Largest body of a request, in bytes: it is held while it is sent.
pub const MAX_REQUEST_BODY: u64 = 8 << 20;
/// Most requests of an instance that are on their way at once; those beyond wait.
const AT_ONCE: usize = 16;

/// What a response holds behind its head.
pub type ResponseBody = BoxStream<'static, Result<Bytes, Refused>>;

/// Whoever sends the requests of a stage's plugin, or refuses them.
///
/// The sandbox hands over each request as the guest made it, with its body of at most [`MAX_REQUEST_BODY`]
/// bytes. The implementation decides whether it may go out, and bounds what comes back: nothing else does.
#[async_trait]
pub trait Outbound: Send + Sync + fmt::Debug {
    /// Sends `request`, and gives the head of what came back with the body behind it.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<ResponseBody>, Refused>;
}

/// Why there is no response, or no more of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refused {
    /// Of which kind, which is what the guest learns.
    pub kind: RefusedKind,
    /// What happened, for people; without secrets.
    pub what: String,
    /// What a person can do about it, if anything.
    pub hint: Option<String>,
}

/// What a guest learns of a request that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// The grant does not have it.
    Denied,
    /// The name stands for an address that the grant does not have.
    Prohibited,
    /// The name stands for nothing.
    Unresolved,
    /// There is no connection.
    Unreachable,
    /// The connection cannot be trusted.
    Tls,
    /// It took too long.
    Timeout,
    /// The response is larger than the grant allows.
    TooLarge,
    /// The connection broke, or what came was no HTTP.
    Broken,
}

impl Refused {
    fn code(&self) -> HttpError {
        match self.kind {
            RefusedKind::Denied => HttpError::HttpRequestDenied,
            RefusedKind::Prohibited => HttpError::DestinationIpProhibited,
            RefusedKind::Unresolved => HttpError::DnsError {
                rcode: None,
                info_code: None,
            },
            RefusedKind::Unreachable => HttpError::ConnectionRefused,
            RefusedKind::Tls => HttpError::TlsCertificateError,
            RefusedKind::Timeout => HttpError::HttpResponseTimeout,
            RefusedKind::TooLarge => HttpError::HttpResponseBodySize(None),
            RefusedKind::Broken => HttpError::HttpProtocolError,
        }
    }
}

/// The last request of a call that came to nothing: what its failure is likely about.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastRefused(Arc<Mutex<Option<Refused>>>);

impl LastRefused {
    fn set(&self, refused: &Refused) {
        if let Ok(mut last) = self.0.lock() {
            // The guest has a hand in the words: the host's name is its own.
            *last = Some(Refused {
                kind: refused.kind,
                what: escape(&refused.what, MAX_TEXT),
                hint: refused.hint.as_ref().map(|hint| escape(hint, MAX_TEXT)),
            });
        }
    }

    pub(crate) fn clear(&self) {
        if let Ok(mut last) = self.0.lock() {
            *last = None;
        }
    }

    pub(crate) fn get(&self) -> Option<Refused> {
        self.0.lock().ok().and_then(|last| last.clone())
    }
}

/// How `wasi:http` of one instance works: by its stage's [`Outbound`], or not at all.
pub(crate) struct Hooks {
    outbound: Option<Arc<dyn Outbound>>,
    pub(crate) last: LastRefused,
    turns: Arc<Semaphore>,
}

impl Hooks {
    pub(crate) fn new(outbound: Option<Arc<dyn Outbound>>) -> Hooks {
        Hooks {
            outbound,
            last: LastRefused::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ),
    HttpError,
>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = self.outbound.clone();
        let (last, turns) = (self.last.clone(), Arc::clone(&self.turns));
        let patience = options.and_then(|options| options.first_byte_timeout);
        Box::new(async move {
            // Not granted anything: it cannot even be instantiated with this import.
            let outbound = outbound.ok_or(HttpError::HttpRequestDenied)?;
            let _turn = turns.acquire().await;
            let (parts, body) = request.into_parts();
            let most = usize::try_from(MAX_REQUEST_BODY).unwrap_or(usize::MAX);
            let body = Limited::new(body, most).collect().await;
            let body = body.map_err(|_| HttpError::HttpRequestBodySize(Some(MAX_REQUEST_BODY)))?;
            let request = http::Request::from_parts(parts, body.to_bytes());
            let sending: Pin<Box<dyn Future<Output = _> + Send>> = outbound.send(request);
            let sent = match patience {
                None => sending.await,
                Some(patience) => tokio::time::timeout(patience, sending)
                    .await
                    .map_err(|_| HttpError::HttpResponseTimeout)?,
            };
            let response = sent.map_err(|refused| {
                last.set(&refused);
                refused.code()
            })?;
            let response = response.map(|body| {
                let frames = body.map_ok(http_body::Frame::data).map_err(move |refused| {
                    last.set(&refused);
                    refused.code()
                });
                StreamBody::new(frames).boxed_unsync()
            });
            let nothing_left: Box<dyn Future<Output = Result<(), HttpError>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response, nothing_left))
        })
    }
}
