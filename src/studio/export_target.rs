//! For which programs files are exported, which files these are, and about how large.

use super::backend::ExportRequest;
use crate::anatomy::Side;
use crate::export::Frame;

/// For which program files are written: it decides axes and unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportTarget {
    /// Viewers and engines that read glTF: y up, metres.
    #[default]
    Gltf,
    /// Blender: z up, metres.
    Blender,
    /// Unreal: z up, left-handed, centimetres.
    Unreal,
    /// The capture's own frame, metres.
    Capture,
    /// Printers: z up, millimetres, standing on the plate, closed wrists.
    Print,
}

/// The formats in the order of the window: name, what it is for.
pub(crate) const FORMATS: [(&str, &str); 9] = [
    ("glb", "textured mesh"),
    ("rig", "GLB with a skeleton of 16 joints"),
    ("obj", "plain mesh with UVs and texture"),
    ("ply", "full precision, vertex colours"),
    ("stl", "for printing, millimetres, closed"),
    ("usdz", "USD in one package"),
    ("npz", "hand-model parameters"),
    ("bvh", "skeleton at rest and in the pose"),
    ("maps", "albedo and coverage as pictures"),
];

impl ExportTarget {
    /// All, in the order of the window.
    pub(crate) const ALL: [Self; 5] = [Self::Gltf, Self::Blender, Self::Unreal, Self::Capture, Self::Print];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gltf => "glTF",
            Self::Blender => "Blender",
            Self::Unreal => "Unreal",
            Self::Capture => "capture",
            Self::Print => "print",
        }
    }

    /// What it means.
    #[must_use]
    pub(crate) const fn help(self) -> &'static str {
        match self {
            Self::Gltf => "y up, centred at the hands, metres: viewers, the web, engines that read glTF",
            Self::Blender => "z up, metres: OBJ and PLY as Blender takes them; it turns the axes of GLB itself",
            Self::Unreal => "z up, left-handed, centimetres; Unreal turns the axes of GLB itself",
            Self::Capture => "The frame of the capture's cameras, metres: Python, other reconstructions",
            Self::Print => "z up, millimetres, standing on the plate, with closed wrists",
        }
    }

    /// Axes and unit.
    #[must_use]
    pub(crate) const fn frame(self) -> Frame {
        match self {
            Self::Gltf => Frame::Gltf,
            Self::Blender => Frame::Blender,
            Self::Unreal => Frame::Unreal,
            Self::Capture => Frame::Capture,
            Self::Print => Frame::Print,
        }
    }

    /// Name of the frame on the command line.
    #[must_use]
    pub(crate) fn word(self) -> String {
        self.name().to_lowercase()
    }

    /// The formats that are ticked with it.
    #[must_use]
    pub(crate) fn formats(self) -> [bool; FORMATS.len()] {
        let wanted: &[&str] = match self {
            Self::Gltf => &["glb"],
            Self::Blender => &["rig", "obj"],
            Self::Unreal => &["rig", "obj"],
            Self::Capture => &["ply", "npz"],
            Self::Print => &["stl"],
        };
        FORMATS.map(|(name, _)| wanted.contains(&name))
    }
}

/// A file that an export writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its name.
    pub name: String,
    /// About how many bytes it takes.
    pub bytes: u64,
}

/// Bytes of a PNG a pixel of albedo; photographs of skin.
const PIXEL_BYTES: u64 = 2;

/// The files of a request for hands of so many vertices; beside each there will be a small `.meta.json`. Sizes are estimates: text and pictures
/// are as long as their content makes them.
#[must_use]
pub(crate) fn planned(request: &ExportRequest, hands: &[(Side, usize)]) -> Vec<Planned> {
    let texture_px = u64::from(request.plan("".into()).texture_px);
    let texture = texture_px * texture_px * PIXEL_BYTES;
    let all: u64 = hands.iter().map(|h| h.1 as u64).sum();
    let count = hands.len() as u64;
    let mut files = Vec::new();
    let mut file = |name: String, bytes: u64| files.push(Planned { name, bytes });
    for format in &request.formats {
        match format.as_str() {
            // A vertex: position, normal, UV, colour; two triangles.
            "glb" => file("hands.glb".to_owned(), all * 68 + count * texture),
            // And four joints with weights; the correctives as a morph target.
            "rig" => file("hands_rigged.glb".to_owned(), all * 112 + count * texture),
            "usdz" => file("hands.usdz".to_owned(), all * 190 + count * texture),
            _ => {
                for (side, vertices) in hands {
                    let v = *vertices as u64;
                    let name = |end: &str| format!("hand_{side}{end}");
                    match format.as_str() {
                        "ply" => file(name(".ply"), v * 65),
                        "stl" => file(name(".stl"), 84 + v * 100),
                        "obj" => {
                            file(name(".obj"), v * 170);
                            file(name(".mtl"), 200);
                            file(name(".png"), texture);
                        }
                        "npz" => file(name(".npz"), 40_000),
                        "bvh" => file(name(".bvh"), 5_000),
                        _ => {
                            file(name("_albedo.png"), texture);
                            file(name("_coverage.png"), texture / 8);
                        }
                    }
                }
            }
        }
    }
    files.dedup_by(|a, b| a.name == b.name);
    files
}

/// Bytes as people read them.
#[must_use]
pub(crate) fn size_words(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let b = bytes as f64;
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", b / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", b / 1e6),
        _ => format!("{:.0} MB", b / 1e6),
    }
}
