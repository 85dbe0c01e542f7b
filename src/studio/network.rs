//! The network of a run at rest, ready to show the hands from anywhere: uploaded when it is first wanted.

use super::opened_run::narrow;
use crate::camera::Camera;
use crate::gpu::Gpu;
use crate::hand::Pose;
use crate::neural::NeuralRenderer;
use crate::pipeline::{FinishedRun, PosableHand, to_rgba8};

/// A run's network with the mesh it belongs to.
pub(super) struct Network {
    renderer: NeuralRenderer,
    /// Brought to rest when they are first posed, finest level.
    hands: Option<Vec<PosableHand>>,
    /// The pose that was uploaded last; `None` = that of the capture.
    placed: Option<Vec<Pose>>,
}

impl Network {
    /// Uploads the network of a run.
    ///
    /// # Errors
    /// No network, one of another mesh, damaged files, a GPU error.
    pub(super) fn open(run: &FinishedRun, gpu: &Gpu) -> anyhow::Result<Self> {
        Ok(Self { renderer: run.neural_renderer(gpu)?, hands: None, placed: None })
    }

    /// The hands through a camera, straight RGBA8; `poses` are one a hand, none for that of the capture. The gain is that of
    /// no view.
    pub(super) fn look(
        &mut self,
        run: &FinishedRun,
        camera: &Camera,
        poses: Option<&[Pose]>,
    ) -> anyhow::Result<Vec<u8>> {
        self.place(run, poses)?;
        Ok(to_rgba8(&self.renderer.render(camera, [1.0; 3])?))
    }

    /// A view of the run with its own gain, in the pose of the capture, straight RGBA8.
    pub(super) fn view(&mut self, run: &FinishedRun, view: usize) -> anyhow::Result<Vec<u8>> {
        self.place(run, None)?;
        Ok(to_rgba8(&run.render_neural(&mut self.renderer, view)?))
    }

    fn place(&mut self, run: &FinishedRun, poses: Option<&[Pose]>) -> anyhow::Result<()> {
        if self.placed.as_deref() == poses {
            return Ok(());
        }
        let hands = match poses {
            None => run.hands(),
            Some(poses) => {
                if self.hands.is_none() {
                    self.hands = Some(run.posable()?);
                }
                self.hands.iter().flatten().zip(poses).map(|(hand, pose)| hand.posed(pose)).collect()
            }
        };
        let joined = |list: &dyn Fn(&crate::export::ExportHand) -> Vec<[f32; 3]>| {
            hands.iter().flat_map(list).collect::<Vec<[f32; 3]>>()
        };
        self.renderer.place(&joined(&|h| narrow(&h.positions)), &joined(&|h| narrow(&h.normals)));
        self.placed = poses.map(<[Pose]>::to_vec);
        Ok(())
    }
}
