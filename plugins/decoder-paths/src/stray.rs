//! Bytes that belong to nothing.

/// A run of bytes that are rejected as one: from the first that is no blank to behind the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stray(Option<(u64, u64)>);

impl Stray {
    /// Adds bytes that begin `offset` bytes into the file.
    pub fn add(&mut self, offset: u64, bytes: &[u8]) {
        let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
        let first = bytes.iter().position(is_text);
        let last = bytes.iter().rposition(is_text);
        if let (Some(first), Some(last)) = (first, last) {
            let start = self.0.map_or(offset + first as u64, |(start, _)| start);
            self.0 = Some((start, offset + last as u64 + 1));
        }
    }

    /// Adds `length` bytes that are none of them blank.
    pub fn add_all(&mut self, offset: u64, length: u64) {
        let start = self.0.map_or(offset, |(start, _)| start);
        self.0 = Some((start, offset + length));
    }

    /// Ends the run: where it begins and how long it is, if there is one.
    pub fn end(&mut self) -> Option<(u64, u64)> {
        self.0.take().map(|(start, end)| (start, end - start))
    }
}
