//! The way back through the screen-space network: to all its numbers and to the vertices' features.

use super::device::{Unet, bytes};
use super::layout::{FIRST_FEATURE, LAST_PART, LEVELS, PARTS, Taps};
use super::steps::{
    How, Over, Place, Side, Step, Template, chunk_of, convolution, linear, norm_partials, norm_sum, normalise, resize,
    sum,
};
use crate::gpu::{Bound, Buffer, GpuError, Recorder};
use crate::neural::layout::{CHUNK, FEATURES, ScatterParams, kernel};

/// Everything backward, for images of at most as many pixels as the network was made for.
pub(in crate::neural) struct UnetGrad {
    /// Gradient to the outputs, to be filled.
    pub outputs_grad: Buffer,
    /// Gradient to all weights.
    pub weights_grad: Buffer,
    /// Fixed-point sums of the gradient to the features.
    pub feature_sums: Buffer,
    scatter_params: Buffer,
    scatter: Bound,
    steps: Vec<Step>,
}

/// What the steps share.
struct Way<'a> {
    unet: &'a Unet,
    weights: &'a Buffer,
    features: &'a Buffer,
    weights_grad: &'a Buffer,
    partials: Buffer,
    /// Of one normalisation.
    sums: Buffer,
    /// Take turns: what one step leaves, the next reads.
    turns: [Buffer; 2],
    /// To the joined images, by level.
    joined: Vec<Buffer>,
    /// To the last part of the inputs.
    part: Buffer,
    steps: Vec<Step>,
}

impl UnetGrad {
    pub(in crate::neural) fn new(
        unet: &Unet,
        weights: &Buffer,
        features: &Buffer,
        vertices: u32,
    ) -> Result<Self, GpuError> {
        let gpu = &unet.gpu;
        let zeros = |name: &str, numbers: u32| Buffer::zeros(gpu, name, bytes(unet.pixels, numbers));
        let outputs_grad = zeros("output gradient", unet.shape.last.outputs)?;
        let weights_grad = Buffer::zeros(gpu, "weight gradient", weights.len_bytes())?;
        let mut way = Way::new(unet, [weights, features, &weights_grad])?;
        way.last(&outputs_grad)?;
        for level in 0..LEVELS - 1 {
            way.up(level)?;
        }
        for level in (0..LEVELS).rev() {
            way.down(level)?;
        }
        let feature_sums = Buffer::zeros(gpu, "feature sums", u64::from(vertices) * FEATURES as u64 * 4)?;
        let scatter_params = Buffer::uniform(gpu, "features", &scatter_of(0))?;
        let scatter = gpu.kernel(kernel::SCATTER)?.bind(&[
            ("params", &scatter_params),
            ("samples", &unet.samples),
            ("inputs_grad", &way.part),
            ("features_grad", &feature_sums),
        ])?;
        let steps = way.steps;
        Ok(Self { outputs_grad, weights_grad, feature_sums, scatter_params, scatter, steps })
    }

    /// The next records are of an image of this size; `scale` leads from the pixels' unit weights to the loss.
    pub(in crate::neural) fn write(&self, unet: &Unet, size: [u32; 2], scale: f32) {
        self.scatter_params.write(&unet.gpu, &[scatter_of(size[0] * size[1])]);
        for step in &self.steps {
            step.write(&unet.gpu, size, scale);
        }
    }

    pub(in crate::neural) fn record(&self, recorder: &mut Recorder, size: [u32; 2]) {
        for step in &self.steps {
            step.record(recorder, size);
        }
        recorder.dispatch(&self.scatter, size[0] * size[1]);
    }
}

fn scatter_of(rows: u32) -> ScatterParams {
    let inputs = PARTS[LAST_PART];
    ScatterParams { rows, inputs, first: FIRST_FEATURE, features: inputs - FIRST_FEATURE }
}

impl<'a> Way<'a> {
    fn new(unet: &'a Unet, [weights, features, weights_grad]: [&'a Buffer; 3]) -> Result<Self, GpuError> {
        let (gpu, shape, pixels) = (&unet.gpu, &unet.shape, unet.pixels);
        let at = |level: usize| pixels >> (2 * level);
        let zeros = |name: &str, pixels: u32, numbers: u32| Buffer::zeros(gpu, name, bytes(pixels, numbers));
        let partial = |level: usize, taps: &Taps| {
            u64::from(at(level).div_ceil(chunk_of(taps, at(level)))) * u64::from(taps.numbers()) * 4
        };
        let mut most = u64::from(pixels.div_ceil(CHUNK)) * u64::from(shape.last.numbers()) * 4;
        for (level, block) in shape.down.iter().enumerate() {
            let taps = block.first.iter().chain([&block.second]).map(|t| partial(level, t)).max().unwrap_or(0);
            most = most.max(taps).max(norm_partials(shape.channels(level), at(level)));
        }
        for (level, (taps, block)) in shape.up.iter().enumerate() {
            most = [taps, &block.first[0], &block.second].map(|t| partial(level, t)).into_iter().fold(most, u64::max);
        }
        // The widest that takes a turn is the gradient to the doubled image.
        let turn = || zeros("layer gradient", pixels, 2 * shape.width);
        let joined = (0..LEVELS - 1).map(|l| zeros("joined gradient", at(l), 2 * shape.channels(l)));
        Ok(Self {
            unet,
            weights,
            features,
            weights_grad,
            partials: Buffer::zeros(gpu, "weight sums", most)?,
            sums: Buffer::zeros(gpu, "normalisation sums", bytes(1, 2 * shape.channels(LEVELS - 1)))?,
            turns: [turn()?, turn()?],
            joined: joined.collect::<Result<_, _>>()?,
            part: zeros("input gradient", pixels, PARTS[LAST_PART])?,
            steps: Vec::new(),
        })
    }

    fn push(
        &mut self,
        kernel: &crate::gpu::Kernel,
        level: usize,
        template: Template,
        buffers: &[(&str, &Buffer)],
    ) -> Result<(), GpuError> {
        self.steps.push(Step::new(&self.unet.gpu, kernel, level, template, buffers)?);
        Ok(())
    }

    /// Gradient to a convolution's weights.
    fn weigh(&mut self, level: usize, taps: &Taps, how: &How, x: &Buffer, y_grad: &Buffer) -> Result<(), GpuError> {
        let (unet, partials) = (self.unet, self.partials.clone());
        let chunk = chunk_of(taps, unet.pixels >> (2 * level));
        let template = Template::Convolution(convolution(taps, how, chunk), Side::Weights);
        let buffers = [("x", x), ("y_grad", y_grad), ("partials", &partials)];
        self.push(&unet.kernels.convolve[2], level, template, &buffers)?;
        let template = Template::Sum(sum(taps.numbers(), taps.offset), chunk, true);
        self.push(&unet.kernels.sum, level, template, &[("partials", &partials), ("weights_grad", self.weights_grad)])
    }

    /// Gradient to a convolution's inputs.
    fn back(
        &mut self,
        level: usize,
        taps: &Taps,
        how: &How,
        [x, y_grad, x_grad]: [&Buffer; 3],
    ) -> Result<(), GpuError> {
        let template = Template::Convolution(convolution(taps, how, 0), Side::Inputs);
        let buffers = [("weights", self.weights), ("x", x), ("y_grad", y_grad), ("x_grad", x_grad)];
        self.push(&self.unet.kernels.convolve[1], level, template, &buffers)
    }

    /// The last layer; its inputs' gradient is in the first turn.
    fn last(&mut self, outputs_grad: &Buffer) -> Result<(), GpuError> {
        let unet = self.unet;
        let (last, x) = (&unet.shape.last, unet.levels[0].result());
        let (partials, to) = (self.partials.clone(), self.turns[0].clone());
        let mut params = linear(last);
        let buffers = [("x", x), ("y_grad", outputs_grad), ("partials", &partials)];
        self.push(&unet.kernels.linear[2], 0, Template::Layer(params, Side::Weights), &buffers)?;
        let template = Template::Sum(sum(last.numbers(), last.offset), CHUNK, true);
        self.push(&unet.kernels.sum, 0, template, &[("partials", &partials), ("weights_grad", self.weights_grad)])?;
        params.cut = 1;
        let buffers = [("weights", self.weights), ("x", x), ("y_grad", outputs_grad), ("x_grad", &to)];
        self.push(&unet.kernels.linear[1], 0, Template::Layer(params, Side::Inputs), &buffers)
    }

    /// From the gradient to what a level's block on the way up leaves, in the first turn, to the same of the level below, in
    /// its place; that along the skip stays.
    fn up(&mut self, level: usize) -> Result<(), GpuError> {
        let unet = self.unet;
        let (l, c) = (&unet.levels[level], unet.shape.channels(level));
        let (Some(doubled), Some([middle, _])) = (&l.doubled, &l.above) else { return Ok(()) };
        let [a, b] = self.turns.clone();
        let joined = self.joined[level].clone();
        let (taps, block) = &unet.shape.up[level];
        let plain = How { place: Place::alone(c), cut: false, bordered: false, adds: false, free: 0 };
        self.weigh(level, &block.second, &plain, middle, &a)?;
        self.back(level, &block.second, &plain, [middle, &a, &b])?;
        // What comes from below has no cut before it.
        let first = How { bordered: true, free: c, ..plain };
        self.weigh(level, &block.first[0], &first, &l.joined, &b)?;
        self.back(level, &block.first[0], &first, [&l.joined, &b, &joined])?;
        // Nor has what was doubled, of which doubling's own gradient takes care.
        let below = How { place: Place { stride: c / 2, first: 0 }, free: 2 * c, ..plain };
        self.weigh(level, taps, &below, doubled, &joined)?;
        self.back(level, taps, &below, [doubled, &joined, &a])?;
        let template = Template::Resize(resize(2 * c, Place::alone(2 * c)), Over::Pixels);
        let small = unet.levels[level + 1].result();
        let buffers = [("small", small), ("full_grad", &a), ("small_grad", &b)];
        self.push(&unet.kernels.double[1], level + 1, template, &buffers)?;
        self.turns.swap(0, 1);
        Ok(())
    }

    /// Back through a normalisation: from the gradient to what it leaves, to that of what it was given.
    fn normalised(
        &mut self,
        level: usize,
        which: usize,
        (y_grad, place): (&Buffer, Place),
        x_grad: &Buffer,
    ) -> Result<(), GpuError> {
        let unet = self.unet;
        let (l, c) = (&unet.levels[level], unet.shape.channels(level));
        let (x, statistics) = (&l.raw[which], &l.statistics[which]);
        let (partials, sums) = (self.partials.clone(), self.sums.clone());
        let offset = unet.shape.down[level].norms.unwrap_or_default()[which];
        let params = normalise(c, place, l.coverage.1, offset);
        let buffers = [("x", x), ("statistics", statistics), ("y_grad", y_grad), ("partials", &partials)];
        self.push(&unet.kernels.normalise[1], level, Template::Normalise(params, Over::Chunks), &buffers)?;
        let buffers = [("partials", &partials), ("weights_grad", &sums)];
        self.push(&unet.kernels.sum, level, norm_sum(c, 0, false), &buffers)?;
        let buffers = [("partials", &partials), ("weights_grad", self.weights_grad)];
        self.push(&unet.kernels.sum, level, norm_sum(c, offset, true), &buffers)?;
        let buffers = [
            ("weights", self.weights),
            ("x", x),
            ("statistics", statistics),
            ("coverage", &l.coverage.0),
            ("y_grad", y_grad),
            ("sums", &sums),
            ("x_grad", x_grad),
        ];
        self.push(&unet.kernels.normalise[2], level, Template::Normalise(params, Over::Pixels), &buffers)
    }

    /// Back through a level's block on the way down and, along the halving, to the skip of the level above.
    fn down(&mut self, level: usize) -> Result<(), GpuError> {
        let unet = self.unet;
        let (l, c) = (&unet.levels[level], unet.shape.channels(level));
        let block = &unet.shape.down[level];
        let [a, b] = self.turns.clone();
        let plain = How { place: Place::alone(c), cut: false, bordered: false, adds: false, free: 0 };
        // At the smallest size the way up ended in the first turn.
        let left = self.joined.get(level).cloned().unwrap_or_else(|| a.clone());
        self.normalised(level, 1, (&left, l.skip), &b)?;
        self.weigh(level, &block.second, &plain, &l.middle, &b)?;
        self.back(level, &block.second, &plain, [&l.middle, &b, &a])?;
        self.normalised(level, 0, (&a, plain.place), &b)?;
        let first = How { bordered: true, ..plain };
        let Some(above) = level.checked_sub(1) else {
            for (part, taps) in block.first.iter().enumerate() {
                let x = unet.part_buffer(part);
                // The first parts took turns in one place.
                if part != LAST_PART {
                    self.steps.push(unet.encode_step(part, self.features)?);
                }
                self.weigh(level, taps, &first, x, &b)?;
            }
            let taps = &block.first[LAST_PART];
            let to = self.part.clone();
            let free = How { free: taps.inputs, ..first };
            return self.back(level, taps, &free, [unet.part_buffer(LAST_PART), &b, &to]);
        };
        let taps = &block.first[0];
        self.weigh(level, taps, &first, &l.input, &b)?;
        self.back(level, taps, &How { free: taps.inputs, ..first }, [&l.input, &b, &a])?;
        let from = &unet.levels[above];
        let template = Template::Resize(resize(taps.inputs, from.skip), Over::FullPixels);
        let joined = self.joined[above].clone();
        let buffers = [("full", &from.joined), ("small_grad", &a), ("full_grad", &joined)];
        self.push(&unet.kernels.halve[1], level, template, &buffers)
    }
}
