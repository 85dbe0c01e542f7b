//! USD: text (`.usda`, textures beside it) and package (`.usdz`, everything in one uncompressed archive).
//!
//! One mesh a hand, unsubdivided, with normals, UVs (`st`, a value a corner), albedo as display colour and a
//! `UsdPreviewSurface` that shows the texture. USD says its unit and its up axis, so every right-handed frame can be written.

use super::reflectance::linear;
use super::{ExportError, ExportHand, Frame, Provenance, atomic, maps, texture, zip};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Alignment of files in a package, bytes.
const ALIGNMENT: usize = 64;

/// The text of a stage with all hands; textures are named `<stem>_<side>_albedo.png` (or `.jpg`) and
/// `…_normal.png`.
///
/// # Errors
/// [`ExportError::Mesh`] when the arrays do not belong together.
pub fn to_text(hands: &[ExportHand], provenance: &Provenance, stem: &str) -> Result<String, ExportError> {
    let frame = provenance.frame;
    // Left-handed axes do not exist in USD: whoever exports for Unreal writes Blender's axes, which Unreal turns itself.
    let up = match frame {
        Frame::Blender | Frame::Print | Frame::Unreal => "Z",
        Frame::Capture | Frame::Gltf | Frame::Pose => "Y",
    };
    let mut text = String::from("#usda 1.0\n(\n    defaultPrim = \"hands\"\n");
    push(
        &mut text,
        format_args!("    metersPerUnit = {}\n    upAxis = \"{up}\"\n    customLayerData = {{\n", 1.0 / frame.unit().1),
    );
    for (name, value) in hands.first().map(|h| provenance.pairs(h)).unwrap_or_default() {
        push(&mut text, format_args!("        string \"{}\" = \"{}\"\n", quoted(&name), quoted(&value)));
    }
    text.push_str("    }\n)\n\ndef Xform \"hands\"\n{\n");
    for hand in hands {
        hand.check()?;
        mesh(&mut text, hand);
        if !hand.uv_faces.is_empty() {
            material(&mut text, hand, stem);
        }
    }
    text.push_str("}\n");
    Ok(text)
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(words);
}

/// A comma-separated list in brackets.
fn list<T>(text: &mut String, declaration: &str, items: impl Iterator<Item = T>, one: impl Fn(&mut String, T)) {
    push(text, format_args!("        {declaration} = ["));
    for (i, item) in items.enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        one(text, item);
    }
    text.push(']');
}

#[expect(clippy::cast_possible_truncation, reason = "USD's points are floats")]
fn tuple<const N: usize>(text: &mut String, v: [f64; N]) {
    text.push('(');
    for (k, x) in v.iter().enumerate() {
        push(text, format_args!("{}{}", if k > 0 { ", " } else { "" }, *x as f32));
    }
    text.push(')');
}

fn mesh(text: &mut String, hand: &ExportHand) {
    let name = format!("hand_{}", hand.side);
    push(
        text,
        format_args!(
            "    def Mesh \"{name}\" (\n        prepend apiSchemas = [\"MaterialBindingAPI\"]\n    )\n    {{\n"
        ),
    );
    text.push_str(
        "        uniform token subdivisionScheme = \"none\"\n        uniform token orientation = \"rightHanded\"\n",
    );
    let bound = |pick: fn(f64, f64) -> f64, start: f64| {
        hand.positions.iter().fold([start; 3], |b, p| [0, 1, 2].map(|k| pick(b[k], p[k])))
    };
    list(
        text,
        "float3[] extent",
        [bound(f64::min, f64::INFINITY), bound(f64::max, f64::NEG_INFINITY)].into_iter(),
        tuple,
    );
    text.push('\n');
    list(text, "int[] faceVertexCounts", hand.faces.iter(), |t, _| t.push('3'));
    text.push('\n');
    list(text, "int[] faceVertexIndices", hand.faces.iter().flatten(), |t, i| push(t, format_args!("{i}")));
    text.push('\n');
    list(text, "point3f[] points", hand.positions.iter(), |t, p| tuple(t, *p));
    text.push('\n');
    list(text, "normal3f[] normals", hand.normals.iter(), |t, n| tuple(t, *n));
    text.push_str(" (\n            interpolation = \"vertex\"\n        )\n");
    list(text, "color3f[] primvars:displayColor", hand.albedo.iter(), |t, c| tuple(t, c.map(linear)));
    text.push_str(" (\n            interpolation = \"vertex\"\n        )\n");
    if !hand.uv_faces.is_empty() {
        list(text, "texCoord2f[] primvars:st", hand.uvs.iter(), |t, uv| tuple(t, *uv));
        text.push_str(" (\n            interpolation = \"faceVarying\"\n        )\n");
        list(text, "int[] primvars:st:indices", hand.uv_faces.iter().flatten(), |t, i| push(t, format_args!("{i}")));
        push(text, format_args!("\n        rel material:binding = </hands/skin_{}>\n", hand.side));
    }
    text.push_str("    }\n\n");
}

fn material(text: &mut String, hand: &ExportHand, stem: &str) {
    let side = hand.side;
    let path = format!("/hands/skin_{side}");
    let map = |name: &str, file: &str, space: &str, more: &str| {
        format!(
            "        def Shader \"{name}\"\n        {{\n            uniform token info:id = \"UsdUVTexture\"\n            \
             asset inputs:file = @{file}@\n            float2 inputs:st.connect = <{path}/st.outputs:result>\n            \
             token inputs:wrapS = \"clamp\"\n            token inputs:wrapT = \"clamp\"\n            \
             token inputs:sourceColorSpace = \"{space}\"\n{more}            float3 outputs:rgb\n        }}\n"
        )
    };
    push(text, format_args!("    def Material \"skin_{side}\"\n    {{\n"));
    push(text, format_args!("        token outputs:surface.connect = <{path}/surface.outputs:surface>\n"));
    push(
        text,
        format_args!(
            "        def Shader \"surface\"\n        {{\n            uniform token info:id = \"UsdPreviewSurface\"\n            \
             color3f inputs:diffuseColor.connect = <{path}/albedo.outputs:rgb>\n            \
             float inputs:roughness = 0.6\n            float inputs:metallic = 0\n"
        ),
    );
    if hand.relief.is_some() {
        push(text, format_args!("            normal3f inputs:normal.connect = <{path}/normal.outputs:rgb>\n"));
    }
    text.push_str("            token outputs:surface\n        }\n");
    text.push_str(
        "        def Shader \"st\"\n        {\n            uniform token info:id = \"UsdPrimvarReader_float2\"\n            \
         string inputs:varname = \"st\"\n            float2 outputs:result\n        }\n",
    );
    text.push_str(&map("albedo", &albedo_name(stem, hand), "sRGB", ""));
    if hand.relief.is_some() {
        let scale =
            "            float4 inputs:scale = (2, 2, 2, 1)\n            float4 inputs:bias = (-1, -1, -1, 0)\n";
        text.push_str(&map("normal", &normal_name(stem, hand), "raw", scale));
    }
    text.push_str("    }\n\n");
}

fn albedo_name(stem: &str, hand: &ExportHand) -> String {
    format!("{stem}_{}_albedo.{}", hand.side, hand.texture_format.ending())
}

fn normal_name(stem: &str, hand: &ExportHand) -> String {
    format!("{stem}_{}_normal.png", hand.side)
}

/// The stage's textures: names and bytes.
fn textures(hands: &[ExportHand], stem: &str, texture_px: u32) -> Result<Vec<(String, Vec<u8>)>, ExportError> {
    let mut files = Vec::new();
    for hand in hands.iter().filter(|h| !h.uv_faces.is_empty()) {
        files.push((albedo_name(stem, hand), texture::encoded(hand, texture_px)?));
        if let Some(relief) = &hand.relief {
            files.push((normal_name(stem, hand), atomic::png_bytes(&maps::normal_image(relief))?));
        }
    }
    Ok(files)
}

/// Writes `path` (`.usda`) and its textures beside it, which come first. Returns all files.
///
/// # Errors
/// [`ExportError::Mesh`], [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write_text(
    path: &Path,
    hands: &[ExportHand],
    provenance: &Provenance,
    texture_px: u32,
) -> Result<Vec<PathBuf>, ExportError> {
    let stem = stem_of(path);
    let mut written = Vec::new();
    for (name, bytes) in textures(hands, &stem, texture_px)? {
        let file = path.with_file_name(name);
        atomic::write(&file, &bytes)?;
        written.push(file);
    }
    atomic::write(path, to_text(hands, provenance, &stem)?.as_bytes())?;
    written.push(path.to_owned());
    Ok(written)
}

/// Writes a package (`.usdz`).
///
/// # Errors
/// As [`write_text`].
pub fn write_package(
    path: &Path,
    hands: &[ExportHand],
    provenance: &Provenance,
    texture_px: u32,
) -> Result<(), ExportError> {
    let stem = stem_of(path);
    // The stage comes first: a package's first file is what is opened.
    let mut files = vec![(format!("{stem}.usda"), to_text(hands, provenance, &stem)?.into_bytes())];
    files.extend(textures(hands, &stem, texture_px)?);
    atomic::write(path, &zip::stored(&files, ALIGNMENT)?)
}

fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;

    #[test]
    fn a_stage_says_what_it_holds() {
        let provenance = Provenance { frame: Frame::Print, notes: vec![("capture".into(), "a \"room\"\n1".into())] };
        let text = to_text(&[hand()], &provenance, "hands").expect("a stage");
        assert!(text.contains("metersPerUnit = 0.001") && text.contains("upAxis = \"Z\""), "unit and axis");
        assert!(text.contains("string \"capture\" = \"a \\\"room\\\" 1\""), "quoted: {}", &text[..600]);
        let after =
            |key: &str| text.split(&format!("{key} = [")).nth(1).expect("a list").split(']').next().expect("its end");
        assert_eq!(after("faceVertexIndices"), "0, 1, 3, 0, 2, 1, 0, 3, 2, 1, 2, 3", "triangles");
        assert_eq!(after("point3f[] points").matches('(').count(), 4, "points");
        assert!(after("point3f[] points").starts_with("(0.1, 0.1, 1.1), (-0.1"), "as they are");
        assert_eq!(after("primvars:st:indices").split(',').count(), 12, "a UV a corner");
        assert!(text.contains("@hands_right_albedo.png@") && !text.contains("_normal.png"), "textures by their names");
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "every brace is closed");
        let mut bare = hand();
        bare.uvs.clear();
        bare.uv_faces.clear();
        assert!(
            !to_text(&[bare], &provenance, "hands").expect("a stage").contains("Material \""),
            "no UVs, no texture"
        );
    }

    #[test]
    fn a_package_begins_with_its_stage_and_is_aligned() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hands.usdz");
        write_package(&path, &[hand()], &Provenance::default(), 32).expect("written");
        let bytes = std::fs::read(&path).expect("bytes");
        assert_eq!(&bytes[30..40], b"hands.usda", "the stage is the first file");
        let begins = bytes.windows(9).position(|w| w == b"#usda 1.0").expect("the stage");
        let png = bytes.windows(8).position(|w| w == b"\x89PNG\r\n\x1a\n").expect("the texture");
        assert_eq!((begins % 64, png % 64), (0, 0), "at multiples of 64");
        let files =
            write_text(&folder.path().join("hands.usda"), &[hand()], &Provenance::default(), 32).expect("written");
        assert_eq!(files.len(), 2, "texture and stage");
    }
}
