//! Texture coordinates for models that bring none: the template is cut into charts and flattened once (crate `uvunwrap`), and
//! the result kept in the user's cache, under the hash of what it was made from.
//!
//! The crate computes with nothing but IEEE 754 arithmetic (its features for speed are off), so that a layout is the same on
//! every machine and textures of one run fit another's meshes. A layout that cannot be made or kept is no failure: the model
//! has none then, and its colours are those of vertices.

use crate::files::UserFolder;
use crate::hand::HandModel;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use uvunwrap::{Density, MeshInput, Options, generate};

/// What layouts of another making are told by. To be changed with the options or the crate's version.
const MAKING: &str = "thenar layout 1, uvunwrap 0.3.0, 58 degrees";
/// Texels of the page that charts are packed for, and between a chart and its neighbours' padding: 8 at a texture of 2048.
const PAGE: u32 = 1024;
const PADDING: u32 = 4;
/// How far a triangle may be turned from its chart's mean, degrees. Hands come apart into few charts with this (the open hands'
/// meshes into 24 and 21; with the crate's 70° into 31 and 33).
const CHART_ANGLE_DEG: f32 = 58.0;

/// Texture coordinates of a mesh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// Coordinates (T×2), v up, 0..1.
    pub uvs: Vec<[f64; 2]>,
    /// Three of them a face (F×3).
    pub uv_faces: Vec<[u32; 3]>,
}

/// Gives a model without texture coordinates its layout, from the cache or made now.
pub(super) fn lay_out(model: &mut HandModel) {
    if model.uv_faces.is_empty()
        && let Some(layout) = cached(cache_folder().as_deref(), &model.template, &model.faces)
    {
        (model.uvs, model.uv_faces) = (layout.uvs, layout.uv_faces);
    }
}

fn cached(folder: Option<&Path>, template: &[[f64; 3]], faces: &[[u32; 3]]) -> Option<Layout> {
    let path = folder.map(|f| f.join(format!("{}.json", key(template, faces))));
    let kept = path.as_deref().and_then(|p| std::fs::read(p).ok());
    if let Some(layout) = kept.and_then(|bytes| serde_json::from_slice::<Layout>(&bytes).ok())
        && layout.belongs_to(faces)
    {
        return Some(layout);
    }
    match Layout::new(template, faces) {
        Ok(layout) => {
            if let Some(path) = path {
                keep(&path, &layout);
            }
            Some(layout)
        }
        Err(problem) => {
            tracing::warn!("the hand model gets no texture coordinates: {problem}");
            None
        }
    }
}

/// Where layouts are kept: `thenar/layouts` in the user's folder for what can be made again.
fn cache_folder() -> Option<PathBuf> {
    UserFolder::Cache.path().map(|cache| cache.join("layouts"))
}

/// SHA-256 of everything a layout depends on.
fn key(template: &[[f64; 3]], faces: &[[u32; 3]]) -> String {
    let mut hash = Sha256::new();
    hash.update(MAKING);
    for x in template.as_flattened() {
        hash.update(x.to_le_bytes());
    }
    for x in faces.as_flattened() {
        hash.update(x.to_le_bytes());
    }
    format!("{:x}", hash.finalize())
}

/// Keeps a layout, whole or not at all; a cache that cannot be written is none.
fn keep(path: &Path, layout: &Layout) {
    let written = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let kept = std::fs::write(&partial, serde_json::to_vec(layout)?).and_then(|()| std::fs::rename(&partial, path));
        if kept.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        kept
    };
    if let Err(e) = written() {
        tracing::debug!("{} is not kept: {e}", path.display());
    }
}

impl Layout {
    fn new(template: &[[f64; 3]], faces: &[[u32; 3]]) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, reason = "the crate computes in floats")]
        let positions: Vec<[f32; 3]> = template.iter().map(|p| p.map(|x| x as f32)).collect();
        let options = Options {
            density: Density::Auto { page_size: PAGE },
            padding: PADDING,
            max_chart_angle: CHART_ANGLE_DEG,
            ..Options::default()
        };
        let atlas =
            generate(&[MeshInput::new(&positions, faces.as_flattened())], &options).map_err(|e| e.to_string())?;
        let [mesh] = &atlas.meshes[..] else { return Err("another number of meshes came back".to_owned()) };
        if atlas.page_count != 1 {
            return Err(format!("it takes {} pages", atlas.page_count));
        }
        // The page is cut to the rows in use; texels are to be square.
        let tall = f64::from(atlas.height) / f64::from(atlas.width);
        let uvs = mesh.vertices.iter().map(|v| [f64::from(v.uv[0]), f64::from(v.uv[1]) * tall]).collect();
        let layout = Self { uvs, uv_faces: mesh.indices.as_chunks::<3>().0.to_vec() };
        let same = mesh.indices.len() == faces.len() * 3
            && mesh.indices.iter().zip(faces.as_flattened()).all(|(i, v)| mesh.vertices[*i as usize].xref == *v);
        if same && layout.belongs_to(faces) { Ok(layout) } else { Err("the layout is not one of this mesh".to_owned()) }
    }

    /// Whether it can be one of a mesh: a triangle of some area within the unit square for each of its own.
    fn belongs_to(&self, faces: &[[u32; 3]]) -> bool {
        let inside = |uv: &[f64; 2]| uv.iter().all(|x| (0.0..=1.0).contains(x));
        let some_area = |f: &[u32; 3]| {
            let corner = |k: usize| self.uvs.get(f[k] as usize);
            let (Some(a), Some(b), Some(c)) = (corner(0), corner(1), corner(2)) else { return false };
            (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]) > 0.0
        };
        self.uv_faces.len() == faces.len() && self.uvs.iter().all(inside) && self.uv_faces.iter().all(some_area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    /// The open hand's mesh without its own layout stands for MANO's.
    fn mesh() -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let model = open_hand(Side::Right).expect("sound asset");
        (model.template, model.faces)
    }

    #[test]
    fn a_layout_covers_every_triangle_once() {
        let (template, faces) = mesh();
        let layout = Layout::new(&template, &faces).expect("a layout");
        // Seen through texel centres: none lies in two triangles.
        let size = 512_u32;
        let mut owner = vec![None::<usize>; (size * size) as usize];
        let mut covered = 0;
        for (f, corners) in layout.uv_faces.iter().enumerate() {
            let [a, b, c] = corners.map(|i| layout.uvs[i as usize].map(|x| x * f64::from(size)));
            let turn =
                |p: [f64; 2], q: [f64; 2], r: [f64; 2]| (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1]);
            for y in 0..size {
                let at = |x: u32| [f64::from(x) + 0.5, f64::from(y) + 0.5];
                if !(a[1].min(b[1]).min(c[1])..=a[1].max(b[1]).max(c[1])).contains(&at(0)[1]) {
                    continue;
                }
                for x in 0..size {
                    let p = at(x);
                    if turn(a, b, p) > 0.0 && turn(b, c, p) > 0.0 && turn(c, a, p) > 0.0 {
                        let texel = &mut owner[(y * size + x) as usize];
                        assert_eq!(*texel, None, "texel {x}, {y} is of face {f} and of another");
                        *texel = Some(f);
                        covered += 1;
                    }
                }
            }
        }
        let share = f64::from(covered) / f64::from(size * size);
        assert!((0.35..0.95).contains(&share), "{share} of the texture is used");
        assert_eq!(Layout::new(&template, &faces).expect("a layout"), layout, "the same again");
    }

    #[test]
    fn a_layout_is_made_once_and_checked_when_it_is_read() {
        let (template, faces) = mesh();
        let folder = tempfile::tempdir().expect("a folder");
        let kept = folder.path().join("layouts");
        let made = cached(Some(&kept), &template, &faces).expect("made");
        let path = kept.join(format!("{}.json", key(&template, &faces)));
        let written = std::fs::read(&path).expect("kept");
        // What is kept is what is used: another layout in its place is taken.
        let mut other = made.clone();
        for uv in &mut other.uvs {
            uv[0] *= 0.5;
        }
        std::fs::write(&path, serde_json::to_vec(&other).expect("JSON")).expect("written");
        assert_eq!(cached(Some(&kept), &template, &faces).as_ref(), Some(&other), "read, not made");
        // One that is damaged, or of another mesh, is made anew.
        for damaged in [&written[..written.len() / 2], b"{}", b"{\"uvs\":[],\"uv_faces\":[]}"] {
            std::fs::write(&path, damaged).expect("written");
            assert_eq!(cached(Some(&kept), &template, &faces).as_ref(), Some(&made), "made anew");
            assert_eq!(std::fs::read(&path).expect("kept"), written, "and kept, the same bytes");
        }
        let mut turned = template.clone();
        turned[0][0] += 1e-9;
        assert_ne!(key(&turned, &faces), key(&template, &faces), "another template is another layout");
        // A cache that cannot be written is no failure.
        let blocked = path.join("below a file");
        assert_eq!(cached(Some(&blocked), &template, &faces).as_ref(), Some(&made), "made all the same");
        assert_eq!(cached(None, &template, &faces).as_ref(), Some(&made), "without a cache as well");
    }

    #[test]
    fn what_cannot_be_laid_out_has_no_layout() {
        assert!(cached(None, &[[0.0; 3]; 3], &[[0, 1, 2]]).is_none(), "a triangle without area");
    }
}
