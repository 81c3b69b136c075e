//! Requests of a component: `wasi:http`, waited for one after the other.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use super::{Request, Response};
use crate::Error;

/// Most bytes that a stream takes at once.
const WRITE: usize = 4096;
/// Most bytes asked for at once.
const READ: u64 = 256 << 10;

/// The body of a response. The stream is dropped before what it belongs to.
pub(super) struct Body {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

impl Body {
    pub(super) fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            return match self.stream.blocking_read(READ) {
                Ok(bytes) if bytes.is_empty() => continue,
                Ok(bytes) => Ok(Some(bytes)),
                Err(StreamError::Closed) => Ok(None),
                Err(StreamError::LastOperationFailed(error)) => {
                    Err(match wasip2::http::types::http_error_code(&error) {
                        Some(code) => told(&code),
                        None => Error::retry("the response broke off"),
                    })
                }
            };
        }
    }
}

pub(super) fn send(request: &Request) -> Result<Response, Error> {
    let no_url = || Error::fatal("a request's URL begins with https:// or http:// and a host");
    let (scheme, rest) = request.url.split_once("://").ok_or_else(no_url)?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(no_url()),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|_| Error::fatal(format!("the header '{name}' may not be set")))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let set = outgoing
        .set_method(&method(&request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&path)));
    set.map_err(|()| no_url())?;
    let body = outgoing
        .body()
        .map_err(|()| Error::fatal("a request has one body"))?;
    let coming = outgoing_handler::handle(outgoing, None).map_err(|code| told(&code))?;
    // Taken by the host while it is written: so it is written after the request has begun.
    let written = write(body, &request.body);
    coming.subscribe().block();
    let response = match coming.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(told(&code)),
        _ => return Err(Error::fatal("a response was taken twice")),
    };
    // What the host says of a request that it does not send is told before that it could not be written.
    written?;
    let found = response.headers().entries();
    let headers = found.into_iter().filter_map(|(name, value)| {
        let value = String::from_utf8(value).ok()?;
        Some((name.to_ascii_lowercase(), value))
    });
    let headers = headers.collect();
    let taken = || Error::fatal("a response's body was taken twice");
    let body = response.consume().map_err(|()| taken())?;
    let stream = body.stream().map_err(|()| taken())?;
    Ok(Response {
        status: response.status(),
        headers,
        body: Body {
            stream,
            _body: body,
            _response: response,
        },
    })
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), Error> {
    let broken = || Error::retry("the request broke off");
    if !bytes.is_empty() {
        let stream = body.write().map_err(|()| broken())?;
        for part in bytes.chunks(WRITE) {
            stream
                .blocking_write_and_flush(part)
                .map_err(|_| broken())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|code| told(&code))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

/// What became of a request, as an error that says whether it is worth another try.
fn told(code: &ErrorCode) -> Error {
    match code {
        ErrorCode::HttpRequestDenied => Error::config("the grant does not have this request"),
        ErrorCode::DestinationIpProhibited => {
            Error::config("the host's address is not a public one, which the grant does not have")
        }
        ErrorCode::HttpResponseBodySize(_) => {
            Error::config("the response is larger than the grant allows")
        }
        ErrorCode::HttpRequestBodySize(_) => Error::fatal("the request's body is too large"),
        ErrorCode::TlsCertificateError => {
            Error::config("the server's certificate cannot be trusted")
        }
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => {
            Error::retry("the host's name cannot be resolved")
        }
        ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionTerminated => Error::retry("the host cannot be reached"),
        ErrorCode::HttpResponseTimeout => Error::retry("the host took too long to answer"),
        other => Error::retry(format!("the request came to nothing ({other:?})")),
    }
}
