//! STL, binary, for printing: one solid a hand. STL has no unit; its header says the frame and the unit.

use super::{ExportError, ExportHand, Provenance, atomic};
use nalgebra::Vector3;
use std::path::Path;

/// The file as bytes; the mesh as it is (closed, if it was closed before: [`ExportHand::close_wrist`]).
///
/// # Errors
/// [`ExportError::Mesh`] when the arrays do not belong together, [`ExportError::Encode`] beyond 2³² triangles.
#[expect(clippy::cast_possible_truncation, reason = "STL holds floats")]
pub fn to_bytes(hand: &ExportHand, provenance: &Provenance) -> Result<Vec<u8>, ExportError> {
    hand.check()?;
    let count = u32::try_from(hand.faces.len())
        .map_err(|_| ExportError::Encode { what: "an STL", reason: "too many triangles".to_owned() })?;
    // Never `solid` at the start: readers would take it for text.
    let (unit, words) = (provenance.frame.unit().0, Provenance::GENERATOR);
    let mut bytes = format!("{words} hand {} unit {unit}", hand.side).into_bytes();
    bytes.resize(80, b' ');
    bytes.extend(count.to_le_bytes());
    for face in &hand.faces {
        let [a, b, c] = face.map(|v| Vector3::from(hand.positions[v as usize]));
        let normal = (b - a).cross(&(c - a)).try_normalize(0.0).unwrap_or_else(Vector3::zeros);
        for v in [normal, a, b, c] {
            bytes.extend([v.x, v.y, v.z].iter().flat_map(|x| (*x as f32).to_le_bytes()));
        }
        bytes.extend([0, 0]);
    }
    Ok(bytes)
}

/// Writes `path`.
///
/// # Errors
/// As [`to_bytes`], or [`ExportError::Io`].
pub fn write(path: &Path, hand: &ExportHand, provenance: &Provenance) -> Result<(), ExportError> {
    atomic::write(path, &to_bytes(hand, provenance)?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;

    #[test]
    fn triangles_are_where_they_were_with_normals_outward() {
        let bytes = to_bytes(&hand(), &Provenance::default()).expect("an STL");
        assert_eq!(bytes.len(), 84 + 50 * 4, "four triangles");
        assert!(bytes.starts_with(b"thenar") && bytes[80..84] == 4_u32.to_le_bytes(), "header and count");
        let float = |at: usize| f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")));
        for (f, face) in hand().faces.iter().enumerate() {
            let start = 84 + 50 * f;
            let normal = Vector3::from([0, 1, 2].map(|k| float(start + 4 * k)));
            let corner = |i: usize| Vector3::from([0, 1, 2].map(|k| float(start + 12 * (i + 1) + 4 * k)));
            for (i, v) in face.iter().enumerate() {
                let truth = Vector3::from(hand().positions[*v as usize]);
                assert!((corner(i) - truth).norm() < 1e-6, "corner {i} of {f}");
            }
            let middle = (corner(0) + corner(1) + corner(2)) / 3.0 - Vector3::new(0.0, 0.0, 1.0);
            assert!(normal.dot(&middle) > 0.0, "triangle {f} looks outward");
        }
    }
}
