//! Requests of a source, by the bare `wasi:http`: what a client would refuse to send can be sent.

pub use wasip2::http::outgoing_handler::handle;
pub use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, Scheme,
};
pub use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// The value of a key of a configuration, where that is a text without escapes.
pub fn value(config: &str, key: &str) -> String {
    let Some((_, rest)) = config.split_once(&format!("\"{key}\":\"")) else {
        return String::new();
    };
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// A request for `path` of `authority`, without a body; what of it cannot be set, in one word.
pub fn request(
    method: &Method,
    scheme: Scheme,
    authority: &str,
    path: &str,
    headers: Fields,
) -> Result<OutgoingRequest, String> {
    let request = OutgoingRequest::new(headers);
    let set = |what: &str, done: Result<(), ()>| done.map_err(|()| format!("no such {what}"));
    set("method", request.set_method(method))?;
    set("scheme", request.set_scheme(Some(&scheme)))?;
    set("authority", request.set_authority(Some(authority)))?;
    set("path", request.set_path_with_query(Some(path)))?;
    Ok(request)
}

/// A request by GET, over plain HTTP, without headers.
pub fn get(authority: &str, path: &str) -> Result<OutgoingRequest, String> {
    request(&Method::Get, Scheme::Http, authority, path, Fields::new())
}

/// Sends a request and waits for its response; its error in one word.
pub fn send(request: OutgoingRequest) -> Result<IncomingResponse, String> {
    wait(&handle(request, None).map_err(|code| word(&code))?)
}

/// Waits for a response; its error in one word.
pub fn wait(coming: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(word(&code)),
        _ => Err("taken twice".into()),
    }
}

/// The body of a response to its end, or how long it was when it broke off, and why.
pub fn body(response: &IncomingResponse) -> Result<Vec<u8>, String> {
    let body = response.consume().map_err(|()| "taken twice")?;
    let stream = body.stream().map_err(|()| "taken twice")?;
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                return Err(code.as_ref().map_or_else(|| "broken".into(), word));
            }
        }
    }
}

/// An error without what it says besides.
pub fn word(code: &ErrorCode) -> String {
    let told = format!("{code:?}");
    let told = told.strip_prefix("ErrorCode::").unwrap_or(&told);
    told.split('(').next().unwrap_or_default().to_owned()
}
