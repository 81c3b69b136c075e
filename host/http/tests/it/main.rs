//! A client against servers on this machine that answer what a test wants.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]
#![allow(
    unreachable_pub,
    reason = "the server is written as a library of tests would have it"
)]

mod addresses;
mod bounds;
mod credentials;
mod environment;
mod failures;
mod grants;
mod headers;
mod record;
mod server;

use bytes::Bytes;
use futures::TryStreamExt;
use http::Request;
use weir_http::{Access, Body, Grant, Refusal};

/// A grant for a server of a test, which is not public.
pub fn grant(url: &str) -> Grant {
    Grant {
        private: true,
        ..Grant::of(url).unwrap()
    }
}

/// Access with one grant.
pub fn access(grant: Grant) -> Access {
    Access::new(vec![grant]).unwrap()
}

/// A request of a guest.
pub fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

/// The whole of a body.
pub async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let chunks: Vec<Bytes> = body.try_collect().await?;
    Ok(chunks.concat())
}

/// All that a refusal can show: what it says, what it advises, and all of its causes.
pub fn shown(refusal: &Refusal) -> String {
    let mut shown = format!("{refusal} {refusal:?} {refusal:#?} {}", refusal.hint());
    let mut cause = std::error::Error::source(refusal);
    while let Some(error) = cause {
        shown.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    shown
}
