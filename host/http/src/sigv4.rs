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
        if !parts.iter().all(is_word) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Signs as the examples that AWS publishes are signed.
    fn signed(
        method: Method,
        url: &str,
        headers: &[(&'static str, &'static str)],
        token: Option<&str>,
    ) -> HeaderMap {
        let keys = SigV4 {
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SecretText::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(SecretText::new),
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        // 2015-08-30T12:36:00Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let url = Url::parse(url).unwrap();
        sign(&keys, &method, &url, &mut map, b"", now).unwrap();
        map
    }

    fn authorization(signed_headers: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={signed_headers}, Signature={signature}"
        )
    }

    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        for (url, headers, token, signed_headers, signature) in [
            (
                "https://example.amazonaws.com/",
                &[][..],
                None,
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "https://example.amazonaws.com/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                &[],
                None,
                "host;x-amz-date",
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                "https://example.amazonaws.com/",
                &[
                    ("my-header1", "value2"),
                    ("my-header1", "value2"),
                    ("my-header1", "value1"),
                ],
                None,
                "host;my-header1;x-amz-date",
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "https://example.amazonaws.com/",
                &[],
                Some(token),
                "host;x-amz-date;x-amz-security-token",
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
        ] {
            let headers = signed(Method::GET, url, headers, token);
            let expected = authorization(signed_headers, signature);
            assert_eq!(headers["authorization"], expected.as_str());
            assert!(headers["authorization"].is_sensitive());
            assert_eq!(headers["x-amz-date"], "20150830T123600Z");
            let sent = headers.get("x-amz-security-token");
            assert_eq!(sent.map(|value| value.to_str().unwrap()), token);
        }
    }
}
