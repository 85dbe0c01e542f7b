//! Every kernel alone, on a clock of the caller's choice: for benchmarks.

use super::{Ham, HamError};
use crate::gpu::Recorder;
use crate::optimise::adam::AdamParams;

impl Ham {
    /// Milliseconds of every kernel on the given clock (in seconds): pixel kernels summed over all used views, vertex
    /// kernels once. For benchmarks; the optimiser's state is left as a step with zero rates would leave it.
    ///
    /// # Errors
    /// A GPU error.
    pub fn profile(&self, clock: &dyn Fn() -> f64) -> Result<Vec<(&'static str, f64)>, HamError> {
        let still = AdamParams::at_step(0.0, 1, -1e4, 1e4);
        self.training.write_step(&self.gpu, 0.0, 1.0, [still; 3]);
        for view in self.views.iter().flatten() {
            view.write_geometry(&self.gpu, true);
        }
        self.refresh_normals()?;
        let mut out: Vec<(&'static str, f64)> = Vec::new();
        let mut time = |name, record: &dyn Fn(&mut Recorder)| -> Result<(), HamError> {
            let mut recorder = self.gpu.recorder(name);
            record(&mut recorder);
            let start = clock();
            recorder.submit()?;
            self.gpu.wait()?;
            let ms = (clock() - start) * 1e3;
            match out.iter_mut().find(|(n, _)| *n == name) {
                Some((_, sum)) => *sum += ms,
                None => out.push((name, ms)),
            }
            Ok(())
        };
        for view in self.views.iter().flatten() {
            for (name, part) in self.renderer.parts(&self.buffers, &self.pixels, &view.pass) {
                time(name, &part)?;
            }
            for (name, part) in view.parts(&self.training, true) {
                time(name, &part)?;
            }
        }
        for (name, bound, per_vertex) in self.training.kernels() {
            time(name, &|r| r.dispatch(bound, self.buffers.vertices * per_vertex))?;
        }
        // All views in one sum may be more than a step's sums can hold.
        self.training.overflow.write(&self.gpu, &[0_u32; 4]);
        self.write_phase();
        Ok(out)
    }
}
