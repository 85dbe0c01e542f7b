//! PLY, binary little endian: positions as doubles (metres, nothing lost), normals as floats, albedo as 8-bit sRGB,
//! triangles with outward winding. Unit, frame and provenance in comments. Reads its own files back.

use super::{ExportError, ExportHand, Provenance, atomic, level_8bit};
use std::io::Write;
use std::path::Path;

/// A PLY file of ours, read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlyMesh {
    /// Positions (V×3), metres.
    pub positions: Vec<[f64; 3]>,
    /// Unit normals (V×3); empty when the file has none.
    pub normals: Vec<[f64; 3]>,
    /// Albedo (V×3), sRGB-encoded 0..1; empty when the file has none.
    pub albedo: Vec<[f64; 3]>,
    /// Triangles (F×3).
    pub faces: Vec<[u32; 3]>,
    /// Comment lines of the header.
    pub comments: Vec<String>,
}

/// The file as bytes.
///
/// # Errors
/// [`ExportError::Mesh`] when the arrays do not belong together.
#[expect(clippy::cast_possible_truncation, reason = "unit normals lose nothing that matters as floats")]
pub fn to_bytes(hand: &ExportHand, provenance: &Provenance) -> Result<Vec<u8>, ExportError> {
    hand.check()?;
    let mut header = String::from("ply\nformat binary_little_endian 1.0\n");
    for line in provenance.lines(hand) {
        header += &format!("comment {line}\n");
    }
    header += &format!("element vertex {}\n", hand.positions.len());
    for name in ["x", "y", "z"] {
        header += &format!("property double {name}\n");
    }
    for name in ["nx", "ny", "nz"] {
        header += &format!("property float {name}\n");
    }
    for name in ["red", "green", "blue"] {
        header += &format!("property uchar {name}\n");
    }
    header += &format!("element face {}\nproperty list uchar uint vertex_indices\nend_header\n", hand.faces.len());
    let mut bytes = header.into_bytes();
    bytes.reserve(hand.positions.len() * 39 + hand.faces.len() * 13);
    for ((p, n), a) in hand.positions.iter().zip(&hand.normals).zip(&hand.albedo) {
        bytes.extend(p.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(n.iter().flat_map(|&v| (v as f32).to_le_bytes()));
        bytes.extend(a.map(level_8bit));
    }
    for f in &hand.faces {
        bytes.push(3);
        bytes.extend(f.iter().flat_map(|v| v.to_le_bytes()));
    }
    Ok(bytes)
}

/// Writes `path`.
///
/// # Errors
/// As [`to_bytes`], or [`ExportError::Io`].
pub fn write(path: &Path, hand: &ExportHand, provenance: &Provenance) -> Result<(), ExportError> {
    let bytes = to_bytes(hand, provenance)?;
    atomic::write_with(path, |w| w.write_all(&bytes))
}

/// Reads a binary little-endian PLY with triangles; scalar properties may have any type and order, unknown ones are skipped.
///
/// # Errors
/// [`ExportError::Io`] when it cannot be opened, [`ExportError::Format`] saying what is wrong with it.
pub fn read(path: &Path) -> Result<PlyMesh, ExportError> {
    let bytes = std::fs::read(path).map_err(ExportError::io(path))?;
    parse(&bytes).map_err(|problem| ExportError::format(path, problem))
}

/// A number type of PLY: size in bytes and how to read it.
#[derive(Clone, Copy)]
enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Number {
    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            other => return Err(format!("`{other}` is no PLY number type")),
        })
    }
}

/// The bytes after the header.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or("the file ends too early")?;
        self.rest = tail;
        Ok(*head)
    }

    fn number(&mut self, kind: Number) -> Result<f64, String> {
        Ok(match kind {
            Number::I8 => f64::from(i8::from_le_bytes(self.take()?)),
            Number::U8 => f64::from(u8::from_le_bytes(self.take()?)),
            Number::I16 => f64::from(i16::from_le_bytes(self.take()?)),
            Number::U16 => f64::from(u16::from_le_bytes(self.take()?)),
            Number::I32 => f64::from(i32::from_le_bytes(self.take()?)),
            Number::U32 => f64::from(u32::from_le_bytes(self.take()?)),
            Number::F32 => f64::from(f32::from_le_bytes(self.take()?)),
            Number::F64 => f64::from_le_bytes(self.take()?),
        })
    }
}

/// What the header says.
#[derive(Default)]
struct Header {
    comments: Vec<String>,
    vertices: usize,
    properties: Vec<(Number, String)>,
    faces: usize,
    list: Option<(Number, Number)>,
}

fn parse_header(bytes: &[u8]) -> Result<(Header, &[u8]), String> {
    let mut header = Header::default();
    let mut rest = bytes;
    let mut element = String::new();
    let mut first = true;
    loop {
        let end = rest.iter().take(4096).position(|&b| b == b'\n').ok_or("there is no PLY header")?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| "the header is not text")?.trim_end_matches('\r');
        rest = &rest[end + 1..];
        if std::mem::take(&mut first) && line != "ply" {
            return Err("it does not begin with `ply`".to_owned());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ply"] => {}
            ["format", "binary_little_endian", _] => {}
            ["format", other, ..] => return Err(format!("the format is {other}, not binary_little_endian")),
            ["comment", ..] => header.comments.push(line.trim_start_matches("comment").trim_start().to_owned()),
            ["element", name, count] => {
                let count = count.parse().map_err(|_| format!("`{count}` is no count"))?;
                element = name.to_owned();
                match name {
                    "vertex" => header.vertices = count,
                    "face" => header.faces = count,
                    other => return Err(format!("it has an element `{other}`")),
                }
            }
            ["property", "list", count, item, _] if element == "face" => {
                header.list = Some((Number::parse(count)?, Number::parse(item)?));
            }
            ["property", kind, name] if element == "vertex" => {
                header.properties.push((Number::parse(kind)?, name.to_owned()));
            }
            ["end_header"] => return Ok((header, rest)),
            _ => return Err(format!("the header line `{line}` is not understood")),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "indices are checked against the vertex count"
)]
fn parse(bytes: &[u8]) -> Result<PlyMesh, String> {
    let (header, rest) = parse_header(bytes)?;
    let places = |names: [&str; 3]| -> Option<[usize; 3]> {
        let found = names.map(|n| header.properties.iter().position(|(_, p)| p == n));
        Some([found[0]?, found[1]?, found[2]?])
    };
    let at = places(["x", "y", "z"]).ok_or("vertices have no x, y, z")?;
    let (normal_at, colour_at) = (places(["nx", "ny", "nz"]), places(["red", "green", "blue"]));
    let least = header.vertices.saturating_mul(header.properties.len()).saturating_add(header.faces);
    if least > rest.len() {
        return Err("the file ends too early".to_owned());
    }
    let mut mesh = PlyMesh::default();
    let mut cursor = Cursor { rest };
    let mut row = vec![0.0; header.properties.len()];
    for _ in 0..header.vertices {
        for (value, (kind, _)) in row.iter_mut().zip(&header.properties) {
            *value = cursor.number(*kind)?;
        }
        mesh.positions.push(at.map(|i| row[i]));
        mesh.normals.extend(normal_at.map(|n| n.map(|i| row[i])));
        mesh.albedo.extend(colour_at.map(|c| c.map(|i| row[i] / 255.0)));
    }
    if !mesh.positions.iter().flatten().all(|v| v.is_finite()) {
        return Err("a position is not finite".to_owned());
    }
    let limit = header.vertices as f64;
    for _ in 0..header.faces {
        let (count, item) = header.list.ok_or("faces have no vertex list")?;
        if cursor.number(count)? != 3.0 {
            return Err("a face is no triangle".to_owned());
        }
        let mut face = [0_u32; 3];
        for v in &mut face {
            let index = cursor.number(item)?;
            if !(0.0..limit).contains(&index) {
                return Err(format!("a face names vertex {index} of {limit}"));
            }
            *v = index as u32;
        }
        mesh.faces.push(face);
    }
    if !cursor.rest.is_empty() {
        return Err(format!("{} bytes are left over", cursor.rest.len()));
    }
    mesh.comments = header.comments;
    Ok(mesh)
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;

    #[test]
    fn a_written_file_reads_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mesh_right.ply");
        let notes = vec![("capture".to_owned(), "room\n1".to_owned())];
        write(&path, &hand(), &Provenance { notes, ..Provenance::default() }).expect("written");
        let mesh = read(&path).expect("read");
        assert_eq!(mesh.positions, hand().positions, "positions lose nothing");
        assert_eq!(mesh.faces, hand().faces, "nor do faces");
        for (a, b) in mesh.albedo.iter().flatten().zip(hand().albedo.iter().flatten()) {
            assert!((a - b).abs() <= 0.5 / 255.0 + 1e-12, "albedo within half a level");
        }
        for (a, b) in mesh.normals.iter().flatten().zip(hand().normals.iter().flatten()) {
            assert!((a - b).abs() < 1e-7, "normals as floats");
        }
        assert!(mesh.comments.contains(&"unit m".to_owned()), "the unit is stated: {:?}", mesh.comments);
        assert!(mesh.comments.contains(&"capture room 1".to_owned()), "line breaks cannot break the header");
    }

    #[test]
    fn damaged_files_are_refused_with_a_reason() {
        let bytes = to_bytes(&hand(), &Provenance::default()).expect("bytes");
        let problem = |b: &[u8]| parse(b).expect_err("refused");
        assert!(problem(&bytes[..bytes.len() - 1]).contains("too early"), "truncated");
        assert!(problem(b"obj\n").contains("ply"), "another format");
        let mut long = bytes.clone();
        long.push(0);
        assert!(problem(&long).contains("left over"), "too long");
        let mut index = bytes.clone();
        let at = bytes.len() - 1;
        index[at] = 255;
        assert!(problem(&index).contains("names vertex"), "an index out of range");
        let text = String::from_utf8_lossy(&bytes).replace("binary_little_endian", "ascii");
        assert!(problem(text.as_bytes()).contains("ascii"), "text PLY");
        let huge = b"ply\nformat binary_little_endian 1.0\nelement vertex 99999999999\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
        assert!(problem(huge).contains("too early"), "a huge count does not allocate");
    }
}
