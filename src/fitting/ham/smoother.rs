//! Smoothing of lists over the surface by the kernel `optimise/diffuse`: what is bound once and recorded every step.

use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::optimise::diffuse::{self, DiffuseParams, iterations_for, omegas};
use crate::shading::renderer::MeshBuffers;

/// Share of a list that may be left unsmoothed, at any frequency.
const TOLERANCE: f64 = 0.02;

/// The iterations, with two lists that take turns. What is smoothed ends in [`Smoother::result`].
pub(super) struct Smoother {
    kernel: Kernel,
    /// One uniform an iteration: its Chebyshev weight.
    params: Vec<Buffer>,
    lists: [Buffer; 2],
}

/// The iterations on one right-hand side.
pub(super) struct Smoothing {
    right_side: Buffer,
    passes: Vec<Bound>,
}

impl Smoother {
    /// For strength `lambda`; the number of iterations is made even, so that the result lies in the first list.
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn new(gpu: &Gpu, mesh: &MeshBuffers, lambda: f64) -> Result<Self, GpuError> {
        let bytes = u64::from(mesh.vertices) * 16;
        let iterations = iterations_for(lambda, TOLERANCE).next_multiple_of(2);
        let uniform = |omega: f64| {
            let params = DiffuseParams { lambda: lambda as f32, omega: omega as f32, pad: [0; 2] };
            Buffer::uniform(gpu, "diffuse", &params)
        };
        Ok(Self {
            kernel: gpu.kernel(diffuse::NAME)?,
            params: omegas(lambda, iterations).into_iter().map(uniform).collect::<Result<_, _>>()?,
            lists: [Buffer::zeros(gpu, "smoothed", bytes)?, Buffer::zeros(gpu, "smoothed", bytes)?],
        })
    }

    /// Binds the iterations to the list that is to be smoothed; it is only read.
    pub(super) fn bind(&self, mesh: &MeshBuffers, right_side: &Buffer) -> Result<Smoothing, GpuError> {
        let pass = |(k, params): (usize, &Buffer)| {
            self.kernel.bind(&[
                ("params", params),
                ("right_side", right_side),
                ("current", &self.lists[k % 2]),
                ("improved", &self.lists[1 - k % 2]),
                ("neighbour_starts", &mesh.neighbour_starts),
                ("neighbours", &mesh.neighbours),
            ])
        };
        let passes = self.params.iter().enumerate().map(pass).collect::<Result<_, _>>()?;
        Ok(Smoothing { right_side: right_side.clone(), passes })
    }

    /// Where the result lies.
    pub(super) const fn result(&self) -> &Buffer {
        &self.lists[0]
    }

    /// Records the iterations: from `x = g` in both lists.
    pub(super) fn record(&self, recorder: &mut Recorder, smoothing: &Smoothing, vertices: u32) {
        recorder.copy(&smoothing.right_side, &self.lists[0]);
        recorder.copy(&smoothing.right_side, &self.lists[1]);
        for pass in &smoothing.passes {
            recorder.dispatch(pass, vertices);
        }
    }
}

impl Smoothing {
    /// One iteration, for timing; `None` when there is none.
    pub(super) fn iteration(&self) -> Option<&Bound> {
        self.passes.first()
    }
}
