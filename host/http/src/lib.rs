//! Outgoing HTTP for plugins, only to what their step grants.
//!
//! A plugin has no network of its own. It asks the host for a request; this crate decides whether the
//! request may go out, adds the credentials that the plugin never sees, sends it, bounds what comes
//! back, and keeps a record. It knows nothing of WebAssembly.
//!
//! A request goes this way: its URL is checked to mean one thing only (`target`), the first grant that
//! holds it is found ([`Grant`]), its headers are sorted (`headers`), an address as its host is looked
//! at and a name is resolved to allowed addresses only (`address`), it waits for its turn (`rate`),
//! gets its credentials ([`Credentials`]) and is sent. Its response is read through a [`Body`].
//!
//! | module | holds |
//! |---|---|
//! | `grant` | [`Grant`], [`Scheme`]: what may be reached |
//! | `host` | [`HostPattern`]: a name, the names below one, an address |
//! | `path` | which paths lie below another, and which only look so |
//! | `target` | the checked URL of a request |
//! | `headers` | which headers a plugin may send |
//! | `address` | which addresses are public, and the resolver that keeps to them |
//! | `credentials` | [`Credentials`], [`SecretText`]: what is added to requests |
//! | `sigv4` | [`SigV4`]: signatures for AWS's services |
//! | `rate` | how many requests may begin in a second |
//! | `access` | [`Access`]: the one way out |
//! | `body` | [`Body`]: a response's bytes, bounded in size and time |
//! | `record` | [`Record`]: what was asked for and what came of it |
//! | `refusal` | [`Refusal`]: why not |
//! | `error` | [`Error`]: what is wrong with a grant |
//!
//! ```no_run
//! use bytes::Bytes;
//! use futures::TryStreamExt;
//! use http::Request;
//! use http::header::AUTHORIZATION;
//! use weir_http::{Access, Credentials, Grant, SecretText};
//!
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! let access = Access::new(vec![Grant {
//!     credentials: Credentials::Added {
//!         headers: vec![(AUTHORIZATION, SecretText::new("Bearer ..."))],
//!         query: Vec::new(),
//!     },
//!     ..Grant::of("https://api.example.org/v1/")?
//! }])?;
//! let request = Request::get("https://api.example.org/v1/users?page=2").body(Bytes::new())?;
//! let mut body = access.send(request).await?.into_body();
//! while let Some(chunk) = body.try_next().await? {
//!     println!("{} bytes", chunk.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What is not granted says what to grant:
//!
//! ```
//! # use bytes::Bytes;
//! # use http::Request;
//! # use weir_http::Access;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let request = Request::get("https://api.example.org/v1/users?key=x").body(Bytes::new())?;
//! let refusal = Access::new(Vec::new())?.send(request).await.unwrap_err();
//! assert_eq!(refusal.to_string(), "GET https://api.example.org/v1/users is not granted");
//! assert_eq!(
//!     refusal.hint(),
//!     r#"grant.http = [{ url = "https://api.example.org/", methods = ["GET"] }]"#,
//! );
//! # Ok(())
//! # }
//! ```

mod access;
mod address;
mod body;
mod credentials;
mod error;
mod grant;
mod headers;
mod host;
mod path;
mod rate;
mod record;
mod refusal;
mod sigv4;
mod target;

pub use access::Access;
pub use body::Body;
pub use credentials::{Credentials, SecretText};
pub use error::{BoxError, Error};
pub use grant::{Grant, Scheme};
pub use host::HostPattern;
pub use record::{Record, Recorded, Total};
pub use refusal::{Awaited, Refusal};
pub use sigv4::SigV4;
