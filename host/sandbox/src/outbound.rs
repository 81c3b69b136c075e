//! Requests that a source makes: handed to whoever runs the sandbox, which has no network of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{
    DnsErrorPayload, ErrorCode, HostOutgoingRequest as _, IoError, Method,
};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks, WasiHttpView,
};

use crate::guest_text::{MAX_TEXT, escape};
use crate::held::Held;
use crate::state::State;
use crate::terms::MemoryBudget;

/// Largest body of a request, in bytes: it is held while it is sent.
pub const MAX_REQUEST_BODY: u64 = 8 << 20;
/// What the bodies of an instance's requests may be together, in bytes.
const MAX_REQUEST_BODIES: u64 = 2 * MAX_REQUEST_BODY;
/// Most requests of an instance that are on their way at once; those beyond wait.
const AT_ONCE: usize = 16;
/// Most requests of an instance on their way and responses with a body that it has neither read nor dropped:
/// each is a connection, of which the process has not many. A request beyond comes to nothing.
const OPEN: usize = 64;
/// Largest head of a response, in bytes, with what the host needs for each header.
const MAX_RESPONSE_HEAD: usize = 32 << 10;
/// What the host holds for each header besides name and value.
const HEADER_COST: usize = 32;

// What the host holds for each handle of a guest's, of which it may have a thousand. None of it is in the guest's
// memory, so that nothing else bounds it.

/// Largest headers of a request, in bytes, with what the host needs for each.
const MAX_FIELDS: usize = 16 << 10;
/// Longest path of a request with its query.
const MAX_PATH: usize = 8 << 10;
/// Longest host of a request, with its port and whatever else may stand there.
const MAX_AUTHORITY: usize = 1 << 10;
/// Longest name of a method.
const MAX_METHOD: usize = 64;
/// Most bytes that a body takes at once, before anybody sends them.
const BODY_CHUNK: usize = 4 << 10;

/// The version of `wasi:http` that wasmtime links, which holds for all of 0.2.
const HTTP_TYPES: &str = "wasi:http/types@0.2.12";

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
    /// It has more under way than one instance may.
    TooMany,
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
            RefusedKind::TooMany => HttpError::ConnectionLimitReached,
        }
    }
}

/// Links `wasi:http`, with bounds on the texts of a request: wasmtime keeps those of any length. And with words for a
/// body that ends too early: wasmtime finds none for what is no error of its own track, and a guest would take a
/// response that is too large for one that broke off, and ask again.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    let mut types = linker.instance(HTTP_TYPES)?;
    type Request = Resource<HostOutgoingRequest>;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, State>, (request, method): (Request, Method)| {
            if matches!(&method, Method::Other(name) if name.len() > MAX_METHOD) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_method(request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, State>, (request, text): (Request, Option<String>)| {
            if is_longer(text.as_deref(), MAX_AUTHORITY) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_authority(request, text)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: StoreContextMut<'_, State>, (request, text): (Request, Option<String>)| {
            if is_longer(text.as_deref(), MAX_PATH) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_path_with_query(request, text)?,))
        },
    )?;
    types.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, State>, (error,): (Resource<IoError>,)| {
            let http = store.data_mut().http();
            let error = http.table.get(&error)?;
            Ok((error.downcast_ref::<HttpError>().map(told),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What the guest is told of why a body ends: one of the codes of a [`Refused`].
fn told(error: &HttpError) -> ErrorCode {
    match error {
        HttpError::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        HttpError::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        HttpError::DnsError { .. } => ErrorCode::DnsError(DnsErrorPayload {
            rcode: None,
            info_code: None,
        }),
        HttpError::ConnectionRefused => ErrorCode::ConnectionRefused,
        HttpError::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        HttpError::TlsCertificateError => ErrorCode::TlsCertificateError,
        HttpError::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        HttpError::HttpResponseBodySize(_) => ErrorCode::HttpResponseBodySize(None),
        _ => ErrorCode::HttpProtocolError,
    }
}

fn is_longer(text: Option<&str>, most: usize) -> bool {
    text.is_some_and(|text| text.len() > most)
}

/// What an instance's requests are made of.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(MAX_FIELDS);
    context
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
    budget: Option<Arc<dyn MemoryBudget>>,
    pub(crate) last: LastRefused,
    turns: Arc<Semaphore>,
    open: Arc<Semaphore>,
    /// Bytes of bodies that may still be taken.
    room: Arc<Semaphore>,
}

impl Hooks {
    pub(crate) fn new(
        outbound: Option<Arc<dyn Outbound>>,
        budget: Option<Arc<dyn MemoryBudget>>,
    ) -> Hooks {
        let room = usize::try_from(MAX_REQUEST_BODIES).unwrap_or(Semaphore::MAX_PERMITS);
        Hooks {
            outbound,
            budget,
            last: LastRefused::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            open: Arc::new(Semaphore::new(OPEN)),
            room: Arc::new(Semaphore::new(room)),
        }
    }
}

/// The body of a request, with what is held for it until it is dropped.
struct Collected {
    bytes: Bytes,
    _held: Held,
    _room: Option<OwnedSemaphorePermit>,
}

/// Takes a request's body: no more of it than one may have, than there is room for in the instance, and than
/// the run has memory for.
async fn collect(
    mut body: WasiBody,
    room: &Arc<Semaphore>,
    mut held: Held,
) -> Result<Collected, HttpError> {
    let too_large = || HttpError::HttpRequestBodySize(Some(MAX_REQUEST_BODY));
    let most = usize::try_from(MAX_REQUEST_BODY).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        // Trailers are nobody's.
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        let length = u32::try_from(chunk.len()).map_err(|_| too_large())?;
        if bytes.len().saturating_add(chunk.len()) > most {
            return Err(too_large());
        }
        let more = Arc::clone(room).try_acquire_many_owned(length);
        let more = more.map_err(|_| HttpError::HttpRequestBodySize(None))?;
        if !held.take(u64::from(length)) {
            return Err(HttpError::HttpRequestBodySize(None));
        }
        match &mut taken {
            None => taken = Some(more),
            Some(taken) => taken.merge(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Collected {
        bytes: bytes.freeze(),
        _held: held,
        _room: taken,
    })
}

/// Refuses a response whose head is larger than anybody needs: a guest may keep a thousand of them.
fn check_head(headers: &HeaderMap) -> Result<(), Refused> {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_COST)
        .fold(0, usize::saturating_add);
    match bytes <= MAX_RESPONSE_HEAD {
        true => Ok(()),
        false => Err(Refused {
            kind: RefusedKind::TooLarge,
            what: format!(
                "the head of a response takes {bytes} bytes; at most {MAX_RESPONSE_HEAD} are taken"
            ),
            hint: None,
        }),
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
        let (open, room) = (Arc::clone(&self.open), Arc::clone(&self.room));
        let held = Held::of(self.budget.clone());
        let patience = options.and_then(|options| options.first_byte_timeout);
        Box::new(async move {
            // Not granted anything: it cannot even be instantiated with this import.
            let outbound = outbound.ok_or(HttpError::HttpRequestDenied)?;
            let _turn = turns.acquire().await;
            let told = |refused: Refused| {
                last.set(&refused);
                refused.code()
            };
            let open = open.try_acquire_owned().map_err(|_| told(too_many()))?;
            let (parts, body) = request.into_parts();
            let Collected {
                bytes,
                _held,
                _room,
            } = collect(body, &room, held).await?;
            let request = http::Request::from_parts(parts, bytes);
            let sending: Pin<Box<dyn Future<Output = _> + Send>> = outbound.send(request);
            let sent = match patience {
                None => sending.await,
                Some(patience) => tokio::time::timeout(patience, sending)
                    .await
                    .map_err(|_| HttpError::HttpResponseTimeout)?,
            };
            let response = sent.map_err(told)?;
            check_head(response.headers()).map_err(told)?;
            let response = response.map(|body| {
                let frames = body.map_ok(http_body::Frame::data).map_err(move |refused| {
                    // Open as long as there is somebody who may read on.
                    let _ = &open;
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

    // One is kept besides those that are buffered.
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        1
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
}

fn too_many() -> Refused {
    Refused {
        kind: RefusedKind::TooMany,
        what: format!("{OPEN} requests and responses are open, and one instance may have no more"),
        hint: Some(
            "tell the plugin's author: a response is read to its end, or dropped, before others are asked for"
                .to_owned(),
        ),
    }
}
