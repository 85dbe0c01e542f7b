//! Smoothing of lists over the surface by the kernel `optimise/diffuse`: what is bound once and recorded every step.

use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::optimise::diffuse::{self, DiffuseParams, omegas};
use crate::shading::renderer::MeshBuffers;

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
    /// `iterations` is rounded up to an even number, so that the result lies in the first list.
    pub(super) fn new(gpu: &Gpu, mesh: &MeshBuffers, iterations: u32) -> Result<Self, GpuError> {
        let bytes = u64::from(mesh.vertices) * 16;
        let blank = DiffuseParams { lambda: 0.0, omega: 1.0, pad: [0; 2] };
        let even = iterations.next_multiple_of(2);
        Ok(Self {
            kernel: gpu.kernel(diffuse::NAME)?,
            params: (0..even).map(|_| Buffer::uniform(gpu, "diffuse", &blank)).collect::<Result<_, _>>()?,
            lists: [Buffer::zeros(gpu, "smoothed", bytes)?, Buffer::zeros(gpu, "smoothed", bytes)?],
        })
    }

    /// Sets the strength.
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn write(&self, gpu: &Gpu, lambda: f64) {
        for (params, omega) in self.params.iter().zip(omegas(lambda, self.params.len())) {
            params.write(gpu, &[DiffuseParams { lambda: lambda as f32, omega: omega as f32, pad: [0; 2] }]);
        }
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
