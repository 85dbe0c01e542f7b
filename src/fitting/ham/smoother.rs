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
    /// How many of them the present strength needs; even, so that the result lies in the first list.
    needed: usize,
    lambda: f64,
    lists: [Buffer; 2],
}

/// The iterations on one right-hand side.
pub(super) struct Smoothing {
    right_side: Buffer,
    passes: Vec<Bound>,
}

/// What the iterations need to know, one entry each.
#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
fn weights(lambda: f64) -> Vec<DiffuseParams> {
    let iterations = iterations_for(lambda, TOLERANCE).next_multiple_of(2);
    let params = |omega: f64| DiffuseParams { lambda: lambda as f32, omega: omega as f32, pad: [0; 2] };
    omegas(lambda, iterations).into_iter().map(params).collect()
}

impl Smoother {
    /// For strengths up to `strongest`, which is the one it begins with.
    pub(super) fn new(gpu: &Gpu, mesh: &MeshBuffers, strongest: f64) -> Result<Self, GpuError> {
        let bytes = u64::from(mesh.vertices) * 16;
        let weights = weights(strongest);
        let params = weights.iter().map(|w| Buffer::uniform(gpu, "diffuse", w)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            kernel: gpu.kernel(diffuse::NAME)?,
            needed: params.len(),
            lambda: strongest,
            params,
            lists: [Buffer::zeros(gpu, "smoothed", bytes)?, Buffer::zeros(gpu, "smoothed", bytes)?],
        })
    }

    /// Sets another strength, at most the strongest.
    pub(super) fn set(&mut self, gpu: &Gpu, lambda: f64) {
        if (self.lambda - lambda).abs() <= f64::EPSILON * lambda {
            return;
        }
        self.lambda = lambda;
        let weights = weights(lambda);
        for (buffer, params) in self.params.iter().zip(&weights) {
            buffer.write(gpu, &[*params]);
        }
        self.needed = weights.len().min(self.params.len());
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

    /// How many iterations the present strength needs.
    pub(super) const fn iterations(&self) -> usize {
        self.needed
    }

    /// Records the beginning: `x = g` in both lists.
    pub(super) fn begin(&self, recorder: &mut Recorder, smoothing: &Smoothing) {
        recorder.copy(&smoothing.right_side, &self.lists[0]);
        recorder.copy(&smoothing.right_side, &self.lists[1]);
    }

    /// Records an iteration, which are [`Self::iterations`] in their order.
    pub(super) fn iterate(&self, recorder: &mut Recorder, smoothing: &Smoothing, iteration: usize, vertices: u32) {
        if let Some(pass) = smoothing.passes.get(iteration) {
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
