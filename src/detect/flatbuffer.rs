//! A bounds-checked reader of the `FlatBuffers` wire format: tables, vectors and scalars, nothing else.
//!
//! A table begins with the distance back to its vtable, which lists where each field lies (0 = absent, take the default).
//! Every offset of the file is checked before it is followed; a damaged file gives [`Malformed`], never a panic. Reference:
//! <https://flatbuffers.dev/internals/>.

/// The file contradicts itself or ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is truncated or damaged (offset {at})")]
pub(super) struct Malformed {
    /// Where.
    pub(super) at: usize,
}

/// A table in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
    vtable: usize,
    vtable_bytes: usize,
}

/// A vector in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a> {
    file: &'a [u8],
    at: usize,
    length: usize,
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    file.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(Malformed { at })
}

fn u16_at(file: &[u8], at: usize) -> Result<usize, Malformed> {
    Ok(usize::from(u16::from_le_bytes(bytes(file, at)?)))
}

fn u32_at(file: &[u8], at: usize) -> Result<usize, Malformed> {
    usize::try_from(u32::from_le_bytes(bytes(file, at)?)).map_err(|_| Malformed { at })
}

/// Follows the relative offset at `at`.
fn follow(file: &[u8], at: usize) -> Result<usize, Malformed> {
    at.checked_add(u32_at(file, at)?).filter(|target| *target < file.len()).ok_or(Malformed { at })
}

impl<'a> Table<'a> {
    /// The root table of a file with this identifier.
    pub(super) fn root(file: &'a [u8], identifier: &[u8; 4]) -> Result<Self, Malformed> {
        if bytes::<4>(file, 4)? != *identifier {
            return Err(Malformed { at: 4 });
        }
        Self::at(file, follow(file, 0)?)
    }

    fn at(file: &'a [u8], at: usize) -> Result<Self, Malformed> {
        let back = i64::from(i32::from_le_bytes(bytes(file, at)?));
        let vtable = i64::try_from(at).ok().and_then(|at| usize::try_from(at - back).ok()).ok_or(Malformed { at })?;
        let vtable_bytes = u16_at(file, vtable)?;
        Ok(Self { file, at, vtable, vtable_bytes })
    }

    /// Where field `field` lies, if the table has it.
    fn field(&self, field: usize) -> Result<Option<usize>, Malformed> {
        let entry = 4 + 2 * field;
        if entry + 2 > self.vtable_bytes {
            return Ok(None);
        }
        let offset = u16_at(self.file, self.vtable + entry)?;
        Ok((offset != 0).then_some(self.at + offset))
    }

    pub(super) fn i8(&self, field: usize, default: i8) -> Result<i8, Malformed> {
        self.field(field)?.map_or(Ok(default), |at| Ok(i8::from_le_bytes(bytes(self.file, at)?)))
    }

    pub(super) fn i32(&self, field: usize, default: i32) -> Result<i32, Malformed> {
        self.field(field)?.map_or(Ok(default), |at| Ok(i32::from_le_bytes(bytes(self.file, at)?)))
    }

    /// A number that counts or indexes.
    pub(super) fn index(&self, field: usize) -> Result<usize, Malformed> {
        self.field(field)?.map_or(Ok(0), |at| u32_at(self.file, at))
    }

    pub(super) fn table(&self, field: usize) -> Result<Option<Self>, Malformed> {
        self.field(field)?.map(|at| Self::at(self.file, follow(self.file, at)?)).transpose()
    }

    /// A vector of elements of `size` bytes; empty when absent.
    fn vector(&self, field: usize, size: usize) -> Result<Vector<'a>, Malformed> {
        let Some(at) = self.field(field)? else { return Ok(Vector { file: self.file, at: 0, length: 0 }) };
        let start = follow(self.file, at)?;
        let length = u32_at(self.file, start)?;
        let fits = length.checked_mul(size).is_some_and(|bytes| bytes <= self.file.len().saturating_sub(start + 4));
        if fits { Ok(Vector { file: self.file, at: start + 4, length }) } else { Err(Malformed { at: start }) }
    }

    /// A vector of tables; empty when absent.
    pub(super) fn tables(&self, field: usize) -> Result<Vec<Self>, Malformed> {
        let vector = self.vector(field, 4)?;
        (0..vector.length).map(|i| Self::at(vector.file, follow(vector.file, vector.at + 4 * i)?)).collect()
    }

    /// A vector of signed numbers; empty when absent.
    pub(super) fn i32s(&self, field: usize) -> Result<Vec<i32>, Malformed> {
        let vector = self.vector(field, 4)?;
        (0..vector.length).map(|i| Ok(i32::from_le_bytes(bytes(vector.file, vector.at + 4 * i)?))).collect()
    }

    /// A vector of bytes; empty when absent.
    pub(super) fn u8s(&self, field: usize) -> Result<&'a [u8], Malformed> {
        let vector = self.vector(field, 1)?;
        vector.file.get(vector.at..vector.at + vector.length).ok_or(Malformed { at: vector.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one table: field 0 is the number 7, field 1 absent, field 2 the bytes 1, 2, 3.
    fn file() -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(18_u32.to_le_bytes()); // the root table lies at 18
        out.extend(b"TEST");
        out.extend([10_u16, 12, 4, 0, 8].iter().flat_map(|x| x.to_le_bytes())); // vtable at 8: its size, the table's, fields
        out.extend(10_i32.to_le_bytes()); // table at 18, vtable 10 before it
        out.extend(7_i32.to_le_bytes());
        out.extend(4_u32.to_le_bytes()); // vector 4 bytes after this
        out.extend(3_u32.to_le_bytes());
        out.extend([1, 2, 3]);
        out
    }

    #[test]
    fn fields_are_read_and_absent_ones_take_their_default() {
        let file = file();
        let table = Table::root(&file, b"TEST").expect("sound");
        assert_eq!(table.i32(0, 5), Ok(7), "a number");
        assert_eq!(table.i32(1, 5), Ok(5), "absent");
        assert_eq!(table.i32(9, 5), Ok(5), "beyond the vtable");
        assert_eq!(table.u8s(2), Ok(&[1, 2, 3][..]), "bytes");
        assert!(table.tables(1).expect("absent").is_empty(), "no tables");
    }

    #[test]
    fn damage_is_an_error() {
        let sound = file();
        for cut in 0..sound.len() {
            let all = Table::root(&sound[..cut], b"TEST").and_then(|t| Ok((t.i32(0, 5)?, t.u8s(2)?.len())));
            assert!(all.is_err(), "cut at {cut}: {all:?}");
        }
        assert!(Table::root(&sound, b"TFL3").is_err(), "another identifier");
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] = 0xff;
            // Whatever it says, it must not panic.
            let _ = Table::root(&damaged, b"TEST").map(|t| (t.i32(0, 5), t.u8s(2).map(<[u8]>::len), t.tables(2)));
        }
    }
}
