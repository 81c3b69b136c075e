//! A file read in pieces, wherever its chunks end.

use std::ops::Range;

/// Bytes kept of a piece that is too long: enough to see what it is.
const HEAD: usize = 16;

/// The bytes of a file that have come and are not read yet.
#[derive(Debug, Default)]
pub struct Unread {
    bytes: Vec<u8>,
    /// Those before are read.
    at: usize,
    /// Those before hold no end of a piece.
    seen: usize,
    /// Where `at` is in the file, but for what was dropped.
    offset: u64,
    /// Bytes of a piece that were too many to keep, and the first of them.
    dropped: u64,
    head: Vec<u8>,
}

/// A part of a file up to an end mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its bytes, without the end mark. If it is too long, only its first few.
    pub bytes: &'a [u8],
    /// How many bytes it has, without the end mark.
    pub length: u64,
    /// The first byte of its end mark; none at the end of the file.
    pub end: Option<u8>,
}

impl Piece<'_> {
    /// Whether it has more bytes than were to be kept.
    pub fn is_too_long(&self) -> bool {
        self.length > self.bytes.len() as u64
    }

    /// The piece without its first bytes, `count` of them.
    pub fn skip(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or_default();
        self.length = self.length.saturating_sub(count as u64);
        self.offset += count as u64;
    }
}

impl Unread {
    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.seen -= self.at;
        self.at = 0;
        // Doubling would ask for twice what a large piece needs.
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let spare = bytes.len().max(self.bytes.capacity() / 8);
            self.bytes.reserve_exact(spare);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What has come and is not read.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Where the next piece begins in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the piece that has begun is already too long.
    pub fn is_dropping(&self) -> bool {
        self.dropped > 0
    }

    /// Passes over the next `count` bytes, as far as they have come.
    pub fn skip(&mut self, count: usize) {
        let count = count.min(self.rest().len());
        self.at += count;
        self.seen = self.seen.max(self.at);
        self.offset += count as u64;
    }

    /// The next piece of at most `max` bytes, if its end has come. `find` says where an end mark is
    /// in bytes that it has not been shown before; the mark may be empty. Longer pieces are dropped
    /// as they come.
    pub fn next(
        &mut self,
        max: usize,
        find: impl FnOnce(&[u8]) -> Option<Range<usize>>,
    ) -> Option<Piece<'_>> {
        let new = self.bytes.get(self.seen..).unwrap_or_default();
        let Some(mark) = find(new) else {
            self.seen = self.bytes.len();
            if self.dropped > 0 || self.seen - self.at > max {
                if self.dropped == 0 {
                    let head = self.rest().iter().take(HEAD);
                    self.head = head.copied().collect();
                }
                self.dropped += (self.seen - self.at) as u64;
                self.at = self.seen;
            }
            return None;
        };
        let (end, behind) = (self.seen + mark.start, self.seen + mark.end);
        Some(self.piece(end, behind, max))
    }

    /// What is left when the file has ended, if anything is.
    pub fn last(&mut self, max: usize) -> Option<Piece<'_>> {
        let end = self.bytes.len();
        (end > self.at || self.dropped > 0).then(|| self.piece(end, end, max))
    }

    /// The piece that ends before the byte `end`; the next one begins at `behind`.
    fn piece(&mut self, end: usize, behind: usize, max: usize) -> Piece<'_> {
        let (start, offset) = (self.at, self.offset);
        let mark = self.bytes.get(end..behind).unwrap_or_default();
        let mark = mark.first().copied();
        let length = self.dropped + (end - start) as u64;
        self.at = behind;
        self.seen = behind;
        self.offset += length + (behind - end) as u64;
        let whole = self.bytes.get(start..end).unwrap_or_default();
        let bytes = match std::mem::take(&mut self.dropped) {
            0 if whole.len() <= max => whole,
            0 => whole.get(..HEAD.min(max)).unwrap_or_default(),
            _ => self.head.get(..HEAD.min(max)).unwrap_or(&self.head),
        };
        Piece {
            offset,
            bytes,
            length,
            end: mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a file, and whether each is too long, for chunks of this size.
    fn pieces(file: &[u8], chunk: usize, max: usize) -> Vec<(u64, Vec<u8>, u64, Option<u8>)> {
        let mut unread = Unread::default();
        let mut all = Vec::new();
        let mut keep = |piece: Piece<'_>| {
            all.push((piece.offset, piece.bytes.to_vec(), piece.length, piece.end));
        };
        for chunk in file.chunks(chunk) {
            unread.push(chunk);
            while let Some(piece) = unread.next(max, |bytes| {
                let mark = bytes.iter().position(|byte| *byte == b';')?;
                Some(mark..mark + 1)
            }) {
                keep(piece);
            }
            assert!(unread.rest().len() <= max, "no more is held");
        }
        if let Some(piece) = unread.last(max) {
            keep(piece);
        }
        all
    }

    #[test]
    fn pieces_are_the_same_wherever_chunks_end() {
        let file = b"ab;;abcdefghijklmnopqrstuvwxyz;abcd;abcde;z";
        let expected = vec![
            (0, b"ab".to_vec(), 2, Some(b';')),
            (3, b"".to_vec(), 0, Some(b';')),
            (4, b"abcd".to_vec(), 26, Some(b';')),
            (31, b"abcd".to_vec(), 4, Some(b';')),
            (36, b"abcd".to_vec(), 5, Some(b';')),
            (42, b"z".to_vec(), 1, None),
        ];
        for chunk in 1..=file.len() {
            assert_eq!(pieces(file, chunk, 4), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn a_piece_that_is_too_long_may_be_the_last() {
        for chunk in 1..=6 {
            let expected = vec![(0, b"ab".to_vec(), 6, None)];
            assert_eq!(pieces(b"abcdef", chunk, 2), expected, "chunks of {chunk}");
        }
        assert_eq!(pieces(b"", 1, 2), []);
        assert_eq!(pieces(b"a;", 1, 2).len(), 1);
    }

    #[test]
    fn an_end_mark_may_be_empty() {
        let mut unread = Unread::default();
        unread.push(b"{}{");
        let find = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == b'}')? + 1;
            Some(end..end)
        };
        let piece = unread.next(9, find).unwrap();
        assert_eq!((piece.bytes, piece.end), (&b"{}"[..], None));
        assert_eq!(unread.next(9, find), None);
        unread.push(b"}");
        let piece = unread.next(9, find).unwrap();
        assert_eq!((piece.bytes, piece.offset), (&b"{}"[..], 2));
    }
}
