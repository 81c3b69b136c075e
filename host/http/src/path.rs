//! Which paths lie below another, and which only look as if they did.

use percent_encoding::percent_decode;

/// How many layers of percent encoding are looked through.
const DEEPEST: usize = 4;

/// The start of a path, as whole segments: `/v1` and `/v1/` are the same, and `/v10` is not below them.
#[derive(Debug)]
pub(crate) struct Prefix(Vec<Vec<u8>>);

impl Prefix {
    pub(crate) fn of(path: &str) -> Prefix {
        let mut segments: Vec<_> = segments(path).collect();
        if segments.last().is_some_and(Vec::is_empty) {
            segments.pop();
        }
        Prefix(segments)
    }

    /// Whether a path without tricks is this one or below it.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let mut path = segments(path);
        self.0
            .iter()
            .all(|segment| path.next().as_ref() == Some(segment))
    }
}

/// A path's segments, decoded one by one: an encoded slash separates nothing.
fn segments(path: &str) -> impl Iterator<Item = Vec<u8>> {
    path.strip_prefix('/')
        .unwrap_or(path)
        .split('/')
        .map(|segment| percent_decode(segment.as_bytes()).collect())
}

/// Whether some server may take the path for another than it seems: it has dot segments, backslashes
/// or control characters, plain or encoded. Servers differ in how often they decode, so each layer
/// counts; a path with more layers than [`DEEPEST`] is a trick by itself.
pub(crate) fn is_trick(path: &str) -> bool {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..DEEPEST {
        if is_other_path(&bytes) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    true
}

fn is_other_path(path: &[u8]) -> bool {
    let is_dots = |segment: &[u8]| {
        // `..;x` is `..` to servers that cut off parameters first.
        let name = segment.split(|&byte| byte == b';').next();
        matches!(name, Some(b"." | b".."))
    };
    path.iter()
        .any(|byte| *byte == b'\\' || byte.is_ascii_control())
        || path.split(|&byte| byte == b'/').any(is_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_whole_segments() {
        for (prefix, path, held) in [
            ("/", "/", true),
            ("/", "/a/b", true),
            ("/v1", "/v1", true),
            ("/v1", "/v1/", true),
            ("/v1/", "/v1", true),
            ("/v1/", "/v1/users/1", true),
            ("/v1/", "/v10", false),
            ("/v1/", "/v", false),
            ("/v1/", "/V1/", false),
            ("/v1/", "/", false),
            ("/v1/", "//v1/", false),
            ("/v1/", "/v2/v1/", false),
            ("/v1/users", "/v1/%75sers/7", true),
            ("/a/b", "/a%2Fb", false),
            ("/a%2Fb", "/a%2fb/c", true),
            ("/a%2Fb", "/a/b", false),
        ] {
            assert_eq!(Prefix::of(prefix).holds(path), held, "{prefix} {path}");
        }
    }

    #[test]
    fn a_path_that_some_server_reads_as_another_is_a_trick() {
        for path in [
            "/v1/../admin",
            "/v1/..",
            "/v1/./x",
            "/v1/%2e%2e/admin",
            "/v1/%2E./admin",
            "/v1/%2e%2e%2fadmin",
            "/v1/..%2fadmin",
            "/v1/%252e%252e/admin",
            "/v1/%25252e%25252e/admin",
            "/v1/%2525252525252e",
            "/v1/..;x=1/admin",
            "/v1/..%3bx/admin",
            "/v1\\..\\admin",
            "/v1/..%5cadmin",
            "/v1/%5c",
            "/v1/x%00",
            "/v1/x%0d%0a",
        ] {
            assert!(is_trick(path), "{path}");
        }
        for path in [
            "/",
            "/v1/a..b",
            "/v1/...",
            "/v1/.well-known/x",
            "/v1/x.json",
            "/v1/100%25",
            "/v1/100%2525",
            "/v1/%zz",
            "/v1//x",
            "/v1/a%20b;c=1",
            "/v1/%C3%A9",
        ] {
            assert!(!is_trick(path), "{path}");
        }
    }
}
