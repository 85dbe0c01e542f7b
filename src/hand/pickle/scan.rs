//! Reading the bytes of a pickle: instruction arguments, each checked against what is left.

use super::{PickleError, limits};
use std::borrow::Cow;
use std::io::BufRead as _;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes of a string: a piece of the input, or what was decoded from its text form. Cloning copies nothing.
#[derive(Clone, Debug)]
pub(super) enum Data<'a> {
    Input(&'a [u8]),
    Decoded(Arc<Vec<u8>>),
}

impl Deref for Data<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Input(bytes) => bytes,
            Self::Decoded(bytes) => bytes,
        }
    }
}

const TOO_MUCH_TEXT: PickleError =
    PickleError::Limit { what: "bytes of text that has to be decoded", limit: limits::ARRAY_BYTES };

/// A cursor over the input.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that decoding has allocated so far.
    decoded: usize,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, decoded: 0 }
    }

    /// Position of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    const fn truncated(&self) -> PickleError {
        PickleError::Truncated { at: self.bytes.len() }
    }

    pub(super) fn malformed(&self, problem: impl Into<String>) -> PickleError {
        PickleError::Malformed { at: self.at, problem: problem.into() }
    }

    /// The next `count` bytes. A count beyond the end is noticed here, before anything is made of it.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or_else(|| self.truncated())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(super) fn u8(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, PickleError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, PickleError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, PickleError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Big-endian, as pickles hold floats.
    pub(super) fn f64(&mut self) -> Result<f64, PickleError> {
        self.array().map(f64::from_be_bytes)
    }

    /// As many bytes as a length read from the file says.
    pub(super) fn take_counted(&mut self, count: u64) -> Result<&'a [u8], PickleError> {
        let count = usize::try_from(count).map_err(|_| self.truncated())?;
        self.take(count)
    }

    /// A little-endian two's-complement number of `count` bytes, at most 16 of them.
    pub(super) fn long(&mut self, count: u64) -> Result<i128, PickleError> {
        let bytes = self.take_counted(count)?;
        if bytes.len() > 16 {
            return Err(self.malformed("a whole number beyond 128 bits"));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        Ok(i128::from_le_bytes(wide))
    }

    /// Up to the next line break, which is passed over, at most `limit` bytes.
    pub(super) fn line(&mut self, limit: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let mut within = &rest[..rest.len().min(limit + 1)];
        // Reading from memory never fails.
        let passed = within.skip_until(b'\n').unwrap_or(0);
        let Some(length) = passed.checked_sub(1).filter(|end| rest[*end] == b'\n') else {
            return Err(if rest.len() > limit { self.malformed("a line without end") } else { self.truncated() });
        };
        self.at += length + 1;
        let line = &rest[..length];
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// A short line of ASCII.
    pub(super) fn word(&mut self) -> Result<&'a str, PickleError> {
        let line = self.line(limits::NAME)?;
        std::str::from_utf8(line).ok().filter(|s| s.is_ascii()).ok_or_else(|| self.malformed("a name that is no ASCII"))
    }

    fn count_decoded(&mut self, bytes: usize) -> Result<(), PickleError> {
        self.decoded += bytes;
        if self.decoded > limits::ARRAY_BYTES {
            return Err(PickleError::Limit {
                what: "bytes of text that has to be decoded",
                limit: limits::ARRAY_BYTES,
            });
        }
        Ok(())
    }

    /// A quoted Python 2 string as `repr` writes it, to its bytes.
    pub(super) fn quoted(&mut self) -> Result<Data<'a>, PickleError> {
        let line = self.line(4 * limits::ARRAY_BYTES + 2)?;
        let inner = match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => return Err(self.malformed("a string without its quotes")),
        };
        if !inner.contains(&b'\\') {
            return Ok(Data::Input(inner));
        }
        let most = limits::ARRAY_BYTES - self.decoded;
        let mut out = Vec::with_capacity(inner.len().min(most));
        let mut rest = inner.iter();
        while let Some(&byte) = rest.next() {
            let byte = if byte == b'\\' {
                unescape(&mut rest).ok_or_else(|| self.malformed("a string with an unknown escape"))?
            } else {
                byte
            };
            if out.len() == most {
                return Err(TOO_MUCH_TEXT);
            }
            out.push(byte);
        }
        self.decoded += out.len();
        Ok(Data::Decoded(Arc::new(out)))
    }

    /// UTF-8 of the length that was read.
    pub(super) fn utf8(&mut self, count: u64) -> Result<Cow<'a, str>, PickleError> {
        let bytes = self.take_counted(count)?;
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| self.malformed("a text that is no UTF-8"))
    }

    /// A line in Python's raw-unicode-escape: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
    pub(super) fn raw_unicode(&mut self) -> Result<Cow<'a, str>, PickleError> {
        let line = self.line(4 * limits::ARRAY_BYTES)?;
        if line.is_ascii() && !line.contains(&b'\\') {
            return std::str::from_utf8(line).map(Cow::Borrowed).map_err(|_| self.malformed("a text that is no ASCII"));
        }
        // Two bytes of UTF-8 a Latin-1 letter at most.
        self.count_decoded(2 * line.len())?;
        let mut out = String::with_capacity(2 * line.len());
        let mut rest = line;
        while let [byte, tail @ ..] = rest {
            let digits = match rest {
                [b'\\', b'u', ..] => 4,
                [b'\\', b'U', ..] => 8,
                _ => 0,
            };
            if digits == 0 {
                out.push(char::from(*byte));
                rest = tail;
                continue;
            }
            let wrong = || self.malformed("a text with an unknown escape");
            let code = rest.get(2..2 + digits).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(wrong)?;
            out.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32).ok_or_else(wrong)?);
            rest = &rest[2 + digits..];
        }
        Ok(Cow::Owned(out))
    }

    /// Latin-1 bytes of a text (`_codecs.encode(text, "latin1")`, how Python 3 writes bytes for old protocols).
    pub(super) fn latin1(&mut self, text: &str) -> Result<Data<'a>, PickleError> {
        let length = text.chars().count();
        self.count_decoded(length)?;
        let mut out = Vec::with_capacity(length);
        for c in text.chars() {
            out.push(u8::try_from(u32::from(c)).map_err(|_| self.malformed("a text that is no Latin-1"))?);
        }
        Ok(Data::Decoded(Arc::new(out)))
    }
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// One letter after a backslash, for escapes of two letters.
const fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'\\' | b'\'' | b'"' => letter,
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        _ => return None,
    })
}

/// What stands behind a backslash; `None` for what `repr` does not write.
fn unescape(rest: &mut std::slice::Iter<'_, u8>) -> Option<u8> {
    match *rest.next()? {
        b'x' => Some(hex(*rest.next()?)? << 4 | hex(*rest.next()?)?),
        letter => short_escape(letter),
    }
}
