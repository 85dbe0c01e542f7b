//! Replays a sequence of poses with the hands of a run: a sequence of meshes, or one file that is animated.
//!
//! Everything is written into a folder beside the target that takes its name at the end, so that an interruption leaves
//! nothing behind.

use super::{PipelineError, PosableHand};
use crate::export::glb::animated::{self, Clip, Loss};
use crate::export::{ExportError, Frame, Provenance, atomic, obj, ply};
use crate::hand::Pose;
use std::path::PathBuf;

/// How to write a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct ReposePlan {
    /// `glb`, `obj`, `ply`.
    pub formats: Vec<String>,
    /// Folder to write: new or empty.
    pub dir: PathBuf,
    /// Texture side in pixels.
    pub texture_px: u32,
    /// Key frames a second of an animated file.
    pub fps: f64,
    /// Carry pose correctives into animated files as morph targets.
    pub bake: bool,
    /// Coarser level of the mesh, if wanted.
    pub level: Option<usize>,
    /// Facts for the files' headers.
    pub notes: Vec<(String, String)>,
}

/// A hand and the poses it is to take.
#[derive(Clone, Debug)]
pub struct ReposedHand {
    /// The hand.
    pub hand: PosableHand,
    /// Its poses; as many as every other hand's.
    pub poses: Vec<Pose>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reposing {
    /// The files, and what skinning alone cannot show in animated ones, one a hand.
    Written(Vec<PathBuf>, Vec<Loss>),
    /// The caller wanted out; nothing was written.
    Interrupted,
}

/// Writes the hands in their poses. `go_on(done, all)` is asked before every file and ends the work with `false`.
///
/// # Errors
/// [`PipelineError::Repose`] when the poses do not fit each other, [`ExportError::NotEmpty`], a full disk.
pub fn repose(
    hands: &[ReposedHand],
    plan: &ReposePlan,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Reposing, PipelineError> {
    let count = hands.first().map_or(0, |h| h.poses.len());
    if count == 0 {
        return Err(PipelineError::Repose("there is no pose to take".to_owned()));
    }
    if let Some(other) = hands.iter().find(|h| h.poses.len() != count) {
        return Err(PipelineError::Repose(format!(
            "the {} hand has {} poses, the {} hand {count}; give both as many",
            other.hand.rest.side(),
            other.poses.len(),
            hands[0].hand.rest.side()
        )));
    }
    let coarse: Vec<PosableHand> =
        hands.iter().map(|h| plan.level.map_or_else(|| h.hand.clone(), |level| h.hand.at_level(level))).collect();
    let folder = atomic::StagedFolder::new(&plan.dir)?;
    let provenance = Provenance { frame: Frame::Pose, notes: plan.notes.clone() };
    let mut job = Job { hands, coarse, plan, folder: &folder, provenance, files: Vec::new(), losses: Vec::new() };
    let animated = plan.formats.iter().filter(|f| *f == "glb").count();
    let all = animated + (plan.formats.len() - animated) * count;
    let mut done = 0;
    for format in &plan.formats {
        let frames = if format == "glb" { 1 } else { count };
        for frame in 0..frames {
            if !go_on(done, all) {
                return Ok(Reposing::Interrupted);
            }
            match format.as_str() {
                "glb" => job.glb()?,
                "obj" => job.obj(frame, count)?,
                "ply" => job.ply(frame, count)?,
                other => {
                    return Err(PipelineError::Repose(format!("`{other}` is no format; there are glb, obj, ply")));
                }
            }
            done += 1;
        }
    }
    let (files, losses) = (job.files, job.losses);
    if !go_on(done, all) {
        return Ok(Reposing::Interrupted);
    }
    folder.commit()?;
    Ok(Reposing::Written(files.into_iter().map(|f| plan.dir.join(f)).collect(), losses))
}

struct Job<'a> {
    hands: &'a [ReposedHand],
    coarse: Vec<PosableHand>,
    plan: &'a ReposePlan,
    folder: &'a atomic::StagedFolder,
    provenance: Provenance,
    files: Vec<String>,
    losses: Vec<Loss>,
}

impl Job<'_> {
    fn glb(&mut self) -> Result<(), ExportError> {
        let clips: Vec<Clip<'_>> = self
            .coarse
            .iter()
            .zip(self.hands)
            .map(|(c, h)| Clip { hand: &c.hand, rest: &c.rest, poses: &h.poses, bake: self.plan.bake })
            .collect();
        let path = self.folder.path().join("hands.glb");
        self.losses = animated::write(&path, &clips, self.plan.fps, &self.provenance, self.plan.texture_px)?;
        self.files.push("hands.glb".to_owned());
        Ok(())
    }

    /// `hand_right_0007`: as many digits as the last frame has, at least four.
    fn stem(&self, hand: usize, frame: usize, count: usize) -> String {
        let digits = (count - 1).to_string().len().max(4);
        format!("hand_{}_{frame:0digits$}", self.hands[hand].hand.rest.side())
    }

    /// The texture is the same in every frame: one material library a hand, written with the first one.
    fn obj(&mut self, frame: usize, count: usize) -> Result<(), ExportError> {
        for (i, hand) in self.hands.iter().enumerate() {
            let posed = self.coarse[i].posed(&hand.poses[frame]);
            let mut library = None;
            if !posed.uv_faces.is_empty() {
                let stem = format!("hand_{}", posed.side);
                if frame == 0 {
                    obj::write_material(self.folder.path(), &stem, &posed, self.plan.texture_px)?;
                    self.files.extend([format!("{stem}.png"), format!("{stem}.mtl")]);
                }
                library = Some(format!("{stem}.mtl"));
            }
            let name = format!("{}.obj", self.stem(i, frame, count));
            let text = obj::to_text(&posed, &self.provenance, library.as_deref())?;
            atomic::write(&self.folder.path().join(&name), text.as_bytes())?;
            self.files.push(name);
        }
        Ok(())
    }

    fn ply(&mut self, frame: usize, count: usize) -> Result<(), ExportError> {
        for (i, hand) in self.hands.iter().enumerate() {
            let posed = self.coarse[i].posed(&hand.poses[frame]);
            let name = format!("{}.ply", self.stem(i, frame, count));
            ply::write(&self.folder.path().join(&name), &posed, &self.provenance)?;
            self.files.push(name);
        }
        Ok(())
    }
}
