//! Requests of tests: answered by what the harness was given.

use super::{Request, Response};
use crate::Error;
use crate::testing::record;

pub(super) struct Body(Vec<u8>);

impl Body {
    pub(super) fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let bytes = std::mem::take(&mut self.0);
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

pub(super) fn send(request: &Request) -> Result<Response, Error> {
    let answer = record::answer(request)?;
    Ok(Response {
        status: answer.status,
        headers: answer.headers,
        body: Body(answer.body),
    })
}
