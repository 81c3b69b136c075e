//! The file within a response: of a zip archive, of gzip, or the response itself.
//!
//! Of an archive only what stands before each file is read (PKWARE's APPNOTE, 4.3.7), not the directory at its end,
//! which comes last.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use weir_plugin::Error;

use crate::links::matches;
use crate::told;

/// The bytes of a file.
pub(crate) type Bytes = Box<dyn Read>;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// A flag: the sizes stand behind the file.
const SIZES_BEHIND: u16 = 1 << 3;
const ENCRYPTED: u16 = 1;

/// The bytes to be read of the file `name`: of an archive those of its first member that matches `members`.
pub(crate) fn member(
    mut body: impl Read + 'static,
    name: &str,
    members: &str,
) -> Result<Bytes, Error> {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".gz") {
        return Ok(Box::new(MultiGzDecoder::new(body)));
    }
    if !lower.ends_with(".zip") {
        return Ok(Box::new(body));
    }
    loop {
        let header = Header::read(&mut body, name)?;
        let Some(header) = header else {
            return Err(Error::data(format!(
                "no file of the archive '{name}' matches '{members}'"
            )));
        };
        if matches(members, &header.name) {
            return header.open(body, name);
        }
        body = header.skip(body, name)?;
    }
}

/// What stands before a file of an archive.
struct Header {
    name: String,
    flags: u16,
    method: u16,
    size: u64,
}

impl Header {
    /// The next header; none where the directory begins.
    fn read(from: &mut impl Read, archive: &str) -> Result<Option<Header>, Error> {
        let mut fixed = [0_u8; 30];
        let failed = |error| told(error, archive);
        from.read_exact(&mut fixed[..4]).map_err(failed)?;
        let short = |at: usize| {
            let pair = [fixed.get(at), fixed.get(at + 1)].map(|byte| byte.copied().unwrap_or(0));
            u16::from_le_bytes(pair)
        };
        if u32::from(short(0)) | (u32::from(short(2)) << 16) != LOCAL_HEADER {
            return Ok(None);
        }
        from.read_exact(&mut fixed[4..]).map_err(failed)?;
        let short = |at: usize| {
            let pair = [fixed.get(at), fixed.get(at + 1)].map(|byte| byte.copied().unwrap_or(0));
            u16::from_le_bytes(pair)
        };
        let mut name = vec![0; usize::from(short(26))];
        from.read_exact(&mut name).map_err(failed)?;
        let mut extra = vec![0; usize::from(short(28))];
        from.read_exact(&mut extra).map_err(failed)?;
        let header = Header {
            name: String::from_utf8_lossy(&name).into_owned(),
            flags: short(6),
            method: short(8),
            size: u64::from(short(18)) | (u64::from(short(20)) << 16),
        };
        let refused = |what: &str| {
            Err(Error::data(format!(
                "'{}' in the archive '{archive}' {what}",
                header.name
            )))
        };
        if header.flags & ENCRYPTED != 0 {
            return refused("is encrypted");
        }
        match header.method {
            DEFLATED => Ok(Some(header)),
            STORED if header.flags & SIZES_BEHIND == 0 => Ok(Some(header)),
            STORED => refused("does not say how long it is"),
            _ => refused("is compressed by another method than deflate"),
        }
    }

    fn open(self, body: impl Read + 'static, archive: &str) -> Result<Bytes, Error> {
        match self.method {
            // Its end is in the compressed bytes themselves.
            DEFLATED => Ok(Box::new(DeflateDecoder::new(body))),
            _ if self.size == u64::from(u32::MAX) => Err(Error::data(format!(
                "'{}' in the archive '{archive}' is longer than can be said here",
                self.name
            ))),
            _ => Ok(Box::new(body.take(self.size))),
        }
    }

    /// Passes over the file.
    fn skip<R: Read>(&self, mut body: R, archive: &str) -> Result<R, Error> {
        if self.flags & SIZES_BEHIND != 0 || self.size == u64::from(u32::MAX) {
            return Err(Error::data(format!(
                "'{}' in the archive '{archive}' comes before the file that is read, and does not say how long it is",
                self.name
            )));
        }
        let passed = io::copy(&mut body.by_ref().take(self.size), &mut io::sink());
        match passed {
            Ok(bytes) if bytes == self.size => Ok(body),
            Ok(_) => Err(Error::data(format!("the archive '{archive}' ends early"))),
            Err(error) => Err(told(error, archive)),
        }
    }
}
