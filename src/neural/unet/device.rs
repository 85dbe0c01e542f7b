//! The screen-space network on the device, forward: samples of an image's pixels → inputs → outputs.

use super::layout::{Block, LEVELS, PARTS, PartParams, Taps, UnetShape};
use super::steps::{
    How, Kernels, Over, Place, Side, Step, Template, convolution, linear, norm_partials, normalise, resize,
};
use crate::gpu::{Buffer, Gpu, GpuError, Recorder};
use crate::neural::layout::{EncodeParams, SAMPLE_STRIDE, basis};
use crate::neural::network::OCTAVES;

/// What the network holds of an image at one size.
pub(super) struct Level {
    /// Inputs of the block on the way down; at the largest size the last part.
    pub input: Buffer,
    /// The image whose fourth number says how much of a pixel sees something, in fours a pixel.
    pub coverage: (Buffer, u32),
    /// Before each normalisation.
    pub raw: [Buffer; 2],
    pub statistics: [Buffer; 2],
    /// Between the convolutions of the block on the way down.
    pub middle: Buffer,
    /// What the block on the way down leaves: but for the smallest size, in the second half of the channels of an image whose
    /// first half comes from below.
    pub joined: Buffer,
    /// Where the former stands in it.
    pub skip: Place,
    /// Inputs of what follows the doubling; not at the smallest size.
    pub doubled: Option<Buffer>,
    /// Between the convolutions of the block on the way up, and behind it.
    pub above: Option<[Buffer; 2]>,
}

impl Level {
    /// What the size above doubles.
    pub(super) fn result(&self) -> &Buffer {
        self.above.as_ref().map_or(&self.joined, |[_, out]| out)
    }
}

/// The network for images of at most as many pixels as it was made for.
pub(in crate::neural) struct Unet {
    pub(super) gpu: Gpu,
    pub(super) kernels: Kernels,
    pub(super) shape: UnetShape,
    pub(super) pixels: u32,
    /// What the network is told, seven `vec4<u32>` a pixel.
    pub samples: Buffer,
    /// A row of eight a pixel, of which three are used.
    pub outputs: Buffer,
    pub(super) encode_params: Buffer,
    /// Inputs of one of the first parts at a time.
    pub(super) part: Buffer,
    pub(super) levels: Vec<Level>,
    steps: Vec<Step>,
}

/// Bytes of `numbers` numbers a pixel.
pub(super) fn bytes(pixels: u32, numbers: u32) -> u64 {
    u64::from(pixels) * u64::from(numbers) * 4
}

impl Unet {
    /// `pixels` is a multiple of both [`super::layout::SIDES`]' product.
    pub(in crate::neural) fn new(
        gpu: &Gpu,
        width: u32,
        pixels: u32,
        weights: &Buffer,
        features: &Buffer,
    ) -> Result<Self, GpuError> {
        let shape = UnetShape::published(width);
        let zeros = |name: &str, numbers: u32| Buffer::zeros(gpu, name, bytes(pixels, numbers));
        let levels = (0..LEVELS).map(|level| Self::level(gpu, &shape, pixels, level)).collect::<Result<Vec<_>, _>>()?;
        let first = EncodeParams { rows: 0, seed: 0, dropped: 0, octaves: OCTAVES, basis: basis() };
        let mut unet = Self {
            kernels: Kernels::new(gpu)?,
            samples: Buffer::zeros(gpu, "samples", u64::from(pixels) * SAMPLE_STRIDE as u64 * 16)?,
            outputs: zeros("network outputs", shape.last.outputs)?,
            encode_params: Buffer::uniform(gpu, "encoding", &first)?,
            part: zeros("network inputs", PARTS[0])?,
            gpu: gpu.clone(),
            shape,
            pixels,
            levels,
            steps: Vec::new(),
        };
        unet.steps = unet.forward(weights, features)?;
        Ok(unet)
    }

    fn level(gpu: &Gpu, shape: &UnetShape, pixels: u32, level: usize) -> Result<Level, GpuError> {
        let c = shape.channels(level);
        let zeros = |name: &str, numbers: u32| Buffer::zeros(gpu, name, bytes(pixels >> (2 * level), numbers));
        let deepest = level + 1 == LEVELS;
        let inputs = if level == 0 { PARTS[3] } else { c / 2 };
        let input = zeros("block inputs", inputs)?;
        let coverage = if level == 0 { (input.clone(), inputs / 4) } else { (zeros("coverage", 4)?, 1) };
        let statistics = || Buffer::zeros(gpu, "statistics", bytes(1, 3 * c));
        let above = || Ok::<_, GpuError>([zeros("layer outputs", c)?, zeros("layer outputs", c)?]);
        Ok(Level {
            input,
            coverage,
            raw: [zeros("layer outputs", c)?, zeros("layer outputs", c)?],
            statistics: [statistics()?, statistics()?],
            middle: zeros("layer outputs", c)?,
            joined: zeros("joined image", if deepest { c } else { 2 * c })?,
            skip: if deepest { Place::alone(c) } else { Place { stride: c / 2, first: c / 4 } },
            doubled: if deepest { None } else { Some(zeros("doubled image", 2 * c)?) },
            above: if deepest { None } else { Some(above()?) },
        })
    }

    /// Uniforms of the first network's parts.
    pub(super) fn encode_step(&self, part: usize, features: &Buffer) -> Result<Step, GpuError> {
        let which = PartParams { part: u32::try_from(part).unwrap_or(0), pad: [0; 3] };
        let buffers = [
            ("params", &self.encode_params),
            ("which", &Buffer::uniform(&self.gpu, "part", &which)?),
            ("samples", &self.samples),
            ("features", features),
            ("inputs", self.part_buffer(part)),
        ];
        Step::new(&self.gpu, &self.kernels.encode, 0, Template::Encode, &buffers)
    }

    /// Where a part of the inputs stands: the last alone, the others take turns.
    pub(super) fn part_buffer(&self, part: usize) -> &Buffer {
        if part == super::layout::LAST_PART { &self.levels[0].input } else { &self.part }
    }

    fn convolve(&self, level: usize, taps: &Taps, how: &How, buffers: [&Buffer; 3]) -> Result<Step, GpuError> {
        let [weights, x, y] = buffers;
        let template = Template::Convolution(convolution(taps, how, 0), Side::Outputs);
        Step::new(&self.gpu, &self.kernels.convolve[0], level, template, &[("weights", weights), ("x", x), ("y", y)])
    }

    /// Statistics of an image, and what is made of it by them.
    fn normalised(
        &self,
        level: usize,
        which: usize,
        weights: (&Buffer, u32),
        (y, place): (&Buffer, Place),
        partials: &Buffer,
    ) -> Result<[Step; 3], GpuError> {
        let l = &self.levels[level];
        let (x, statistics) = (&l.raw[which], &l.statistics[which]);
        let params = normalise(self.shape.channels(level), place, l.coverage.1, weights.1);
        let step = |kernel, over, buffers: &[(&str, &Buffer)]| {
            Step::new(&self.gpu, kernel, level, Template::Normalise(params, over), buffers)
        };
        let k = &self.kernels;
        Ok([
            step(&k.statistics[0], Over::Chunks, &[("x", x), ("coverage", &l.coverage.0), ("partials", partials)])?,
            step(&k.statistics[1], Over::Channels, &[("partials", partials), ("statistics", statistics)])?,
            step(
                &k.normalise[0],
                Over::Pixels,
                &[("weights", weights.0), ("x", x), ("statistics", statistics), ("y", y)],
            )?,
        ])
    }

    fn forward(&self, weights: &Buffer, features: &Buffer) -> Result<Vec<Step>, GpuError> {
        let most =
            (0..LEVELS).map(|l| norm_partials(self.shape.channels(l), self.pixels >> (2 * l))).max().unwrap_or(0);
        let partials = Buffer::zeros(&self.gpu, "statistics of parts", most)?;
        let mut steps = Vec::new();
        for (level, block) in self.shape.down.iter().enumerate() {
            self.halve(level, &mut steps)?;
            self.down(level, block, [weights, features, &partials], &mut steps)?;
        }
        for level in (0..LEVELS - 1).rev() {
            self.up(level, weights, &mut steps)?;
        }
        let last = &self.shape.last;
        let buffers = [("weights", weights), ("x", self.levels[0].result()), ("y", &self.outputs)];
        let template = Template::Layer(linear(last), Side::Outputs);
        steps.push(Step::new(&self.gpu, &self.kernels.linear[0], 0, template, &buffers)?);
        Ok(steps)
    }

    /// From the size above: what its block left, and coverage.
    fn halve(&self, level: usize, steps: &mut Vec<Step>) -> Result<(), GpuError> {
        let Some(above) = level.checked_sub(1) else { return Ok(()) };
        let (from, to) = (&self.levels[above], &self.levels[level]);
        let images = [
            (self.shape.channels(above), from.skip, &from.joined, &to.input),
            (4, Place { stride: from.coverage.1, first: 0 }, &from.coverage.0, &to.coverage.0),
        ];
        for (channels, place, full, small) in images {
            let template = Template::Resize(resize(channels, place), Over::Pixels);
            let buffers = [("full", full), ("small", small)];
            steps.push(Step::new(&self.gpu, &self.kernels.halve[0], level, template, &buffers)?);
        }
        Ok(())
    }

    fn down(
        &self,
        level: usize,
        block: &Block,
        [weights, features, partials]: [&Buffer; 3],
        steps: &mut Vec<Step>,
    ) -> Result<(), GpuError> {
        let l = &self.levels[level];
        let alone = Place::alone(self.shape.channels(level));
        let plain = How { place: alone, cut: false, bordered: false, adds: false, free: 0 };
        for (part, taps) in block.first.iter().enumerate() {
            let x = if level == 0 { self.part_buffer(part) } else { &l.input };
            if level == 0 {
                steps.push(self.encode_step(part, features)?);
            }
            let how = How { bordered: true, adds: part > 0, ..plain };
            steps.push(self.convolve(level, taps, &how, [weights, x, &l.raw[0]])?);
        }
        let [first, second] = block.norms.unwrap_or_default();
        steps.extend(self.normalised(level, 0, (weights, first), (&l.middle, alone), partials)?);
        steps.push(self.convolve(level, &block.second, &plain, [weights, &l.middle, &l.raw[1]])?);
        steps.extend(self.normalised(level, 1, (weights, second), (&l.joined, l.skip), partials)?);
        Ok(())
    }

    fn up(&self, level: usize, weights: &Buffer, steps: &mut Vec<Step>) -> Result<(), GpuError> {
        let (l, c) = (&self.levels[level], self.shape.channels(level));
        let (Some(doubled), Some([middle, out])) = (&l.doubled, &l.above) else { return Ok(()) };
        let small = self.levels[level + 1].result();
        let template = Template::Resize(resize(2 * c, Place::alone(2 * c)), Over::FullPixels);
        let buffers = [("small", small), ("full", doubled)];
        steps.push(Step::new(&self.gpu, &self.kernels.double[0], level + 1, template, &buffers)?);
        let (taps, block) = &self.shape.up[level];
        let first_half = Place { stride: c / 2, first: 0 };
        let plain = How { place: first_half, cut: false, bordered: false, adds: false, free: 0 };
        let cut = How { place: Place::alone(c), cut: true, ..plain };
        steps.push(self.convolve(level, taps, &plain, [weights, doubled, &l.joined])?);
        steps.push(self.convolve(
            level,
            &block.first[0],
            &How { bordered: true, ..cut },
            [weights, &l.joined, middle],
        )?);
        steps.push(self.convolve(level, &block.second, &cut, [weights, middle, out])?);
        Ok(())
    }

    /// Most pixels of an image.
    pub(in crate::neural) const fn pixels(&self) -> u32 {
        self.pixels
    }

    /// The next records are of an image of this size; `dropped` of 65,536 seeds do not tell where it is seen from.
    pub(in crate::neural) fn write(&self, size: [u32; 2], seed: u32, dropped: u32) {
        let rows = size[0] * size[1];
        self.encode_params.write(&self.gpu, &[EncodeParams { rows, seed, dropped, octaves: OCTAVES, basis: basis() }]);
        for step in &self.steps {
            step.write(&self.gpu, size, 1.0);
        }
    }

    pub(in crate::neural) fn record(&self, recorder: &mut Recorder, size: [u32; 2]) {
        for step in &self.steps {
            step.record(recorder, size);
        }
    }
}
