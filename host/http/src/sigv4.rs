//! Signatures of version 4, as AWS's services ask for.

use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as signature,
};
use aws_sigv4::sign::v4::SigningParams;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::credentials::SecretText;
use crate::error::BoxError;
use crate::refusal::Refusal;

/// Keys with which requests are signed.
#[derive(Clone, Debug)]
pub struct SigV4 {
    /// The region, as the service's endpoint has it: `eu-north-1`.
    pub region: String,
    /// The service's name in signatures: `s3`, `execute-api`, `es`.
    pub service: String,
    /// Which key it is.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretText,
    /// What comes with keys that expire.
    pub session_token: Option<SecretText>,
}

impl SigV4 {
    /// What is wrong with the keys, if something is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let parts = [&self.region, &self.service, &self.access_key_id];
        let is_word = |text: &&String| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'/' && b != b',')
        };
        if !parts.iter().all(|part| is_word(part)) {
            return Err("need a region, a service and an access key id, each a word".to_owned());
        }
        if self.secret_access_key.reveal().is_empty() {
            return Err("need a secret access key".to_owned());
        }
        let token = self.session_token.as_ref().map(SecretText::reveal);
        if token.is_some_and(|token| token.is_empty() || HeaderValue::from_str(token).is_err()) {
            return Err("have a session token that no header can hold".to_owned());
        }
        Ok(())
    }

    /// S3 takes the path as it is, where other services take it encoded once more.
    fn is_s3(&self) -> bool {
        self.service.starts_with("s3")
    }
}

/// Whether signing sets a header, apart from `authorization`.
pub(crate) fn is_own(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "x-amz-date" | "x-amz-security-token" | "x-amz-content-sha256"
    )
}

/// Signs a request in which everything else is in place.
pub(crate) fn sign(
    keys: &SigV4,
    method: &Method,
    url: &Url,
    headers: &mut HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Result<(), Refusal> {
    let mut signed = Vec::with_capacity(headers.len());
    for (name, value) in headers.iter() {
        let value = value.to_str().map_err(|_| Refusal::ForbiddenHeader {
            name: name.clone(),
            why: "a signature holds only headers that are ASCII text",
        })?;
        signed.push((name.as_str(), value));
    }
    let failed = |error: BoxError| Refusal::Unsigned { source: error };
    let request = SignableRequest::new(
        method.as_str(),
        url.as_str(),
        signed.into_iter(),
        SignableBody::Bytes(body),
    )
    .map_err(|error| failed(error.into()))?;
    let mut settings = SigningSettings::default();
    // OpenSearch without servers asks for the body's digest as S3 does.
    if keys.is_s3() || keys.service == "aoss" {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if keys.is_s3() {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let identity = Keys::new(
        &keys.access_key_id,
        keys.secret_access_key.reveal(),
        keys.session_token
            .as_ref()
            .map(|token| token.reveal().to_owned()),
        None,
        "grant",
    )
    .into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&keys.region)
        .name(&keys.service)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(error.into()))?
        .into();
    let (instructions, _) = signature(request, &params)
        .map_err(|error| failed(error.into()))?
        .into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        let mut value =
            HeaderValue::from_str(header.value()).map_err(|error| failed(error.into()))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(())
}
