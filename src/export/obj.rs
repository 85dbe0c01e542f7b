//! OBJ with MTL and a texture: shortest decimals that read back exactly, metres, outward winding, v up. OBJ has no
//! unit or frame, so the header states both.

use super::{ExportError, ExportHand, Provenance, atomic, texture};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The text of the OBJ file that refers to material library `mtl` (a file name); vertex colours follow the positions, as
/// most readers take them.
///
/// # Errors
/// [`ExportError::Mesh`].
pub fn to_text(hand: &ExportHand, provenance: &Provenance, mtl: Option<&str>) -> Result<String, ExportError> {
    hand.check()?;
    let mut text = String::with_capacity(hand.positions.len() * 200);
    for line in provenance.lines(hand) {
        push(&mut text, format_args!("# {line}\n"));
    }
    if let Some(mtl) = mtl {
        push(&mut text, format_args!("mtllib {mtl}\n"));
    }
    push(&mut text, format_args!("o hand_{}\n", hand.side));
    for (p, a) in hand.positions.iter().zip(&hand.albedo) {
        push(&mut text, format_args!("v {} {} {} {:.6} {:.6} {:.6}\n", p[0], p[1], p[2], a[0], a[1], a[2]));
    }
    for t in &hand.uvs {
        push(&mut text, format_args!("vt {} {}\n", t[0], t[1]));
    }
    for n in &hand.normals {
        push(&mut text, format_args!("vn {:.9} {:.9} {:.9}\n", n[0], n[1], n[2]));
    }
    if mtl.is_some() {
        text.push_str("usemtl skin\n");
    }
    for (i, f) in hand.faces.iter().enumerate() {
        text.push('f');
        for c in 0..3 {
            let v = f[c] + 1;
            match hand.uv_faces.get(i) {
                Some(t) => push(&mut text, format_args!(" {v}/{}/{v}", t[c] + 1)),
                None => push(&mut text, format_args!(" {v}//{v}")),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(words);
}

/// Writes `path` and, when the hand has UVs, `<stem>.mtl` and `<stem>.png` or `.jpg` (albedo, `texture_px` texels wide)
/// beside it.
/// The OBJ comes last, so that what it names exists. Returns all files.
///
/// # Errors
/// [`ExportError::Mesh`], [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write(
    path: &Path,
    hand: &ExportHand,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<Vec<PathBuf>, ExportError> {
    let mut files = Vec::new();
    let mut mtl_name = None;
    if !hand.uv_faces.is_empty() {
        let (folder, stem) = (path.parent().unwrap_or_else(|| Path::new("")), path.file_stem().unwrap_or_default());
        files = write_material(folder, &stem.to_string_lossy(), hand, texture_px)?;
        mtl_name = Some(format!("{}.mtl", stem.to_string_lossy()));
    }
    atomic::write(path, to_text(hand, provenance, mtl_name.as_deref())?.as_bytes())?;
    files.push(path.to_owned());
    Ok(files)
}

/// Writes `<stem>.png` or `.jpg` (albedo, `texture_px` texels wide) and `<stem>.mtl` into a folder; returns both.
///
/// # Errors
/// [`ExportError::Mesh`] without UVs, [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write_material(
    folder: &Path,
    stem: &str,
    hand: &ExportHand,
    texture_px: u32,
) -> Result<Vec<PathBuf>, ExportError> {
    let name = format!("{stem}.{}", hand.texture_format.ending());
    let (mtl, image) = (folder.join(format!("{stem}.mtl")), folder.join(&name));
    atomic::write(&image, &texture::encoded(hand, texture_px)?)?;
    let text = format!(
        "# {}\nnewmtl skin\nKa 0 0 0\nKd 1 1 1\nKs 0.04 0.04 0.04\nNs 20\nillum 2\nmap_Kd {name}\n",
        Provenance::GENERATOR
    );
    atomic::write(&mtl, text.as_bytes())?;
    Ok(vec![image, mtl])
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;

    #[test]
    fn a_written_file_parses_back_exactly() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hand_right.obj");
        let files = write(&path, &hand(), &Provenance::default(), 64).expect("written");
        assert_eq!(files.len(), 3, "texture, material, mesh");
        let text = std::fs::read_to_string(&path).expect("text");
        let numbers =
            |line: &str| line.split_whitespace().skip(1).map(|w| w.parse().expect("a number")).collect::<Vec<f64>>();
        let of = |tag: &str| text.lines().filter(|l| l.split(' ').next() == Some(tag)).collect::<Vec<_>>();
        for (line, p) in of("v").iter().zip(&hand().positions) {
            assert_eq!(numbers(line)[..3], p[..], "positions lose nothing");
        }
        assert_eq!((of("v").len(), of("vt").len(), of("vn").len()), (4, 7, 4), "all elements");
        for (line, (f, t)) in of("f").iter().zip(hand().faces.iter().zip(&hand().uv_faces)) {
            let corners: Vec<[u32; 3]> = line
                .split(' ')
                .skip(1)
                .map(|c| {
                    let i: Vec<u32> = c.split('/').map(|w| w.parse().expect("an index")).collect();
                    [i[0], i[1], i[2]]
                })
                .collect();
            for c in 0..3 {
                assert_eq!(corners[c], [f[c] + 1, t[c] + 1, f[c] + 1], "indices count from one");
            }
        }
        assert!(text.contains("# unit m") && text.contains("mtllib hand_right.mtl"), "unit and material are stated");
        let mtl = std::fs::read_to_string(folder.path().join("hand_right.mtl")).expect("material");
        assert!(mtl.contains("map_Kd hand_right.png"), "the material names the texture");
        let png = image::open(folder.path().join("hand_right.png")).expect("texture");
        assert_eq!((png.width(), png.height()), (64, 64), "as large as asked");
    }
}
