//! The hand layer on the device: many problems of one hand model at once, forward and backward. Twin:
//! [`HandLayer`](crate::hand::HandLayer), where the formulas stand.
//!
//! # Thread mapping
//! Problems go in fours ("quads") that fill the components of a `vec4`, so that each number of the model that a kernel
//! reads serves four problems. Of the six kernels (`shaders/hand/`), two work on joints with one workgroup per quad, two on
//! vertices with one invocation per vertex and quad, and two sum over vertices with one workgroup per quad and group of
//! sums. There are no atomics: sums run in a fixed order, and the same input gives the same bits, at any batch size.
//!
//! # Objects
//! - [`LayerKernels`]: compiled once per device.
//! - [`DeviceLayer`]: one model, one meaning of the pose numbers, room for a number of problems. Both hands are two layers.
//!
//! Memory: 2 kB for each vertex of the model and 80 bytes for each vertex of each problem.

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::CHECKS;

use crate::anatomy::JOINTS;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::hand::{HandModel, KeypointModel, PARAMETERS, PoseBasis};
use bytemuck::{Pod, Zeroable};

/// Kernel names, in the order in which they run: two forward, four backward.
pub const KERNELS: [&str; 6] = [
    "hand/pose_joints",
    "hand/skin_vertices",
    "hand/skin_vertices_grad",
    "hand/coefficients_grad",
    "hand/joint_moments",
    "hand/pose_joints_grad",
];

/// Problems that share a `vec4`.
const QUAD: usize = 4;
/// Vertices of a workgroup.
const TILE: usize = 64;
/// Floats of one problem's parameters.
const STRIDE: usize = 64;
/// Columns of a group of directions: ten shape components, or nine features of a joint and a zero.
const GROUP: usize = 10;
/// Groups: the shape, and joints 1 to 15.
const GROUPS: usize = 16;
/// Numbers of a joint transform.
const TRANSFORM: usize = 12;

/// Uniform of all kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct LayerParams {
    vertices: u32,
    plane: u32,
    quads: u32,
    components: u32,
}

/// The compiled kernels. Clones share them.
#[derive(Clone)]
pub struct LayerKernels {
    kernels: [Kernel; KERNELS.len()],
}

impl LayerKernels {
    /// Compiles the kernels.
    ///
    /// # Errors
    /// [`GpuError::Shader`].
    pub fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let [a, b, c, d, e, f] = KERNELS.map(|name| gpu.kernel(name));
        Ok(Self { kernels: [a?, b?, c?, d?, e?, f?] })
    }
}

/// A hand model on the device with room for `batch` problems.
pub struct DeviceLayer {
    gpu: Gpu,
    batch: usize,
    vertex_count: usize,
    /// Workgroups of each kernel.
    groups: [u32; KERNELS.len()],
    bound: [Bound; KERNELS.len()],
    parameters: Buffer,
    vertices: Buffer,
    joints: Buffer,
    vertex_grads: Buffer,
    joint_grads: Buffer,
    parameter_grads: Buffer,
}

#[expect(clippy::cast_possible_truncation, reason = "the device computes in f32")]
const fn f32_of(value: f64) -> f32 {
    value as f32
}

fn u32_of(value: usize) -> u32 {
    u32::try_from(value).expect("vertices and problems are far below 2^32")
}

/// Points as the kernels take them.
fn padded(points: &[[f64; 3]]) -> Vec<[f32; 4]> {
    points.iter().map(|[x, y, z]| [f32_of(*x), f32_of(*y), f32_of(*z), 0.0]).collect()
}

/// Planes `[column][coordinate][vertex]`: shape, correctives, template; each of `plane` vertices.
fn pack_directions(model: &HandModel, plane: usize) -> Vec<f32> {
    let columns = GROUPS * GROUP + 1;
    let mut out = vec![0.0; columns * 3 * plane];
    for v in 0..model.template.len() {
        for axis in 0..3 {
            let mut put = |column: usize, value: f64| out[(3 * column + axis) * plane + v] = f32_of(value);
            put(GROUPS * GROUP, model.template[v][axis]);
            for (c, value) in model.shape_directions[v][axis].iter().enumerate() {
                put(c, *value);
            }
            for (i, value) in model.pose_directions.iter().flat_map(|p| p[v][axis].iter().enumerate()) {
                put(GROUP * (1 + i / 9) + i % 9, *value);
            }
        }
    }
    out
}

/// Planes `[joint][vertex]`; the last is one for every vertex.
fn pack_weights(model: &HandModel, plane: usize) -> Vec<f32> {
    let mut out = vec![0.0; (JOINTS + 1) * plane];
    for (v, row) in model.skin_weights.iter().enumerate() {
        for (joint, weight) in row.iter().enumerate() {
            out[joint * plane + v] = f32_of(*weight);
        }
        out[JOINTS * plane + v] = 1.0;
    }
    out
}

/// For each tile of vertices, which groups of directions (low half) and which joints (high half) say anything about it.
fn tile_masks(directions: &[f32], weights: &[f32], plane: usize) -> Vec<u32> {
    let speaks = |planes: &[f32], tile: usize| {
        planes.chunks_exact(plane).any(|p| p[tile * TILE..(tile + 1) * TILE].iter().any(|value| *value != 0.0))
    };
    let mask = |tile: usize| {
        (0..GROUPS).fold(0, |mask, g| {
            let group = speaks(&directions[3 * GROUP * g * plane..3 * GROUP * (g + 1) * plane], tile);
            let joint = speaks(&weights[g * plane..(g + 1) * plane], tile);
            mask | (u32::from(group) << g) | (u32::from(joint) << (16 + g))
        })
    };
    (0..plane / TILE).map(mask).collect()
}

/// Rest joints and their shape directions, base pose, pose basis: in the order of `common/joint_frames.wgsl`.
fn pack_joints(model: &HandModel, basis: &PoseBasis) -> Vec<f32> {
    let points = KeypointModel::new(model);
    let rest = points.rest[..JOINTS].as_flattened().iter();
    let shape = points.shape[..JOINTS].as_flattened().as_flattened().iter();
    rest.chain(shape).chain(&basis.base).chain(basis.rows.as_flattened()).map(|v| f32_of(*v)).collect()
}

impl DeviceLayer {
    /// Uploads a model and makes room for `batch` problems, whose pose numbers mean what `basis` says.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn new(
        gpu: &Gpu,
        kernels: &LayerKernels,
        model: &HandModel,
        basis: &PoseBasis,
        batch: usize,
    ) -> Result<Self, GpuError> {
        let count = model.template.len();
        let plane = count.next_multiple_of(TILE);
        let (quads, tiles) = (batch.div_ceil(QUAD), plane / TILE);
        let zeros = |label: &str, vectors: usize| Buffer::zeros(gpu, label, 16 * vectors as u64);
        let packed_directions = pack_directions(model, plane);
        let packed_weights = pack_weights(model, plane);
        let masks = tile_masks(&packed_directions, &packed_weights, plane);
        let layer = LayerParams {
            vertices: u32_of(count),
            plane: u32_of(plane),
            quads: u32_of(quads),
            components: u32_of(basis.rows.len()),
        };
        let layer = Buffer::uniform(gpu, "hand layer", &layer)?;
        let directions = Buffer::storage(gpu, "hand directions", &packed_directions)?;
        let weights = Buffer::storage(gpu, "hand weights", &packed_weights)?;
        let tile_masks = Buffer::storage(gpu, "hand tile masks", &masks)?;
        let joint_model = Buffer::storage(gpu, "hand joint model", &pack_joints(model, basis))?;
        let coefficients = zeros("hand coefficients", quads * GROUPS * GROUP)?;
        let transforms = zeros("hand transforms", quads * JOINTS * TRANSFORM)?;
        let rest = zeros("hand rest vertices", quads * 3 * plane)?;
        let rest_grads = zeros("hand rest gradients", quads * 3 * plane)?;
        let coefficient_grads = zeros("hand coefficient gradients", quads * GROUPS * GROUP)?;
        let moments = zeros("hand moments", quads * (JOINTS + 1) * TRANSFORM)?;
        let parameters = zeros("hand parameters", quads * STRIDE)?;
        let parameter_grads = zeros("hand parameter gradients", quads * STRIDE)?;
        let vertices = zeros("hand vertices", quads * QUAD * count)?;
        let vertex_grads = zeros("hand vertex gradients", quads * QUAD * count)?;
        let joints = zeros("hand joints", quads * QUAD * JOINTS)?;
        let joint_grads = zeros("hand joint gradients", quads * QUAD * JOINTS)?;
        let all = [
            ("layer", &layer),
            ("parameters", &parameters),
            ("joint_model", &joint_model),
            ("directions", &directions),
            ("weights", &weights),
            ("tile_masks", &tile_masks),
            ("coefficients", &coefficients),
            ("transforms", &transforms),
            ("rest", &rest),
            ("vertices", &vertices),
            ("joints", &joints),
            ("vertex_grads", &vertex_grads),
            ("joint_grads", &joint_grads),
            ("rest_grads", &rest_grads),
            ("coefficient_grads", &coefficient_grads),
            ("moments", &moments),
            ("parameter_grads", &parameter_grads),
        ];
        let [pose, skin, skin_grad, coefficients_grad, joint_moments, pose_grad] = &kernels.kernels;
        let bind = |kernel: &Kernel, names: &[&str]| {
            kernel.bind(&all.iter().filter(|(name, _)| names.contains(name)).copied().collect::<Vec<_>>())
        };
        let skinning = ["layer", "parameters", "weights", "tile_masks", "transforms"];
        let summing = ["layer", "tile_masks"];
        let posing = ["layer", "parameters", "joint_model"];
        let bound = [
            bind(pose, &[&posing[..], &["coefficients", "transforms", "joints"]].concat())?,
            bind(skin, &[&skinning[..], &["directions", "coefficients", "rest", "vertices"]].concat())?,
            bind(skin_grad, &[&skinning[..], &["vertex_grads", "rest_grads"]].concat())?,
            bind(coefficients_grad, &[&summing[..], &["directions", "rest_grads", "coefficient_grads"]].concat())?,
            bind(joint_moments, &[&summing[..], &["weights", "rest", "vertex_grads", "moments"]].concat())?,
            bind(
                pose_grad,
                &[&posing[..], &["moments", "coefficient_grads", "joint_grads", "parameter_grads"]].concat(),
            )?,
        ];
        Ok(Self {
            gpu: gpu.clone(),
            batch,
            vertex_count: count,
            groups: [1, tiles, tiles, GROUPS, JOINTS + 1, 1].map(|n| u32_of(quads * n)),
            bound,
            parameters,
            vertices,
            joints,
            vertex_grads,
            joint_grads,
            parameter_grads,
        })
    }

    /// Replaces the parameters of the first problems, in the order of
    /// [`parameter_vector`](crate::hand::parameter_vector); where the pose stands are the numbers of the layer's basis.
    ///
    /// # Panics
    /// When there are more than the layer has room for.
    pub fn write_parameters(&self, problems: &[[f64; PARAMETERS]]) {
        assert!(problems.len() <= self.batch, "at most {} problems", self.batch);
        let mut packed = vec![0.0f32; problems.len() * STRIDE];
        for (to, from) in packed.chunks_exact_mut(STRIDE).zip(problems) {
            for (t, f) in to.iter_mut().zip(from) {
                *t = f32_of(*f);
            }
        }
        self.parameters.write(&self.gpu, &packed);
    }

    /// Replaces the gradients of the loss by one problem's posed vertices (V×3) and joints.
    ///
    /// # Panics
    /// When there is no such problem, or not one gradient a vertex.
    pub fn write_output_gradients(&self, problem: usize, vertices: &[[f64; 3]], joints: &[[f64; 3]; JOINTS]) {
        assert!(problem < self.batch, "at most {} problems", self.batch);
        assert_eq!(vertices.len(), self.vertex_count, "one gradient a vertex");
        self.vertex_grads.write_at(&self.gpu, (16 * problem * self.vertex_count) as u64, &padded(vertices));
        self.joint_grads.write_at(&self.gpu, (16 * problem * JOINTS) as u64, &padded(joints));
    }

    /// Records the forward pass: [`Self::parameters`] to [`Self::vertices`] and [`Self::joints`].
    pub fn record_forward(&self, recorder: &mut Recorder) {
        self.record(recorder, 0..2);
    }

    /// Records the backward pass of the problems that the last forward pass posed: [`Self::vertex_grads`] and
    /// [`Self::joint_grads`] to [`Self::parameter_grads`].
    pub fn record_backward(&self, recorder: &mut Recorder) {
        self.record(recorder, 2..KERNELS.len());
    }

    fn record(&self, recorder: &mut Recorder, kernels: std::ops::Range<usize>) {
        for (bound, groups) in self.bound[kernels.clone()].iter().zip(&self.groups[kernels]) {
            recorder.dispatch_workgroups(bound, *groups);
        }
    }

    /// Reads the posed vertices (V×3) of one problem back.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read_vertices(&self, problem: usize) -> Result<Vec<[f64; 3]>, GpuError> {
        self.read_points(&self.vertices, problem, self.vertex_count)
    }

    /// Reads the posed joints (16×3) of one problem back.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read_joints(&self, problem: usize) -> Result<Vec<[f64; 3]>, GpuError> {
        self.read_points(&self.joints, problem, JOINTS)
    }

    fn read_points(&self, buffer: &Buffer, problem: usize, count: usize) -> Result<Vec<[f64; 3]>, GpuError> {
        let bytes = 16 * count as u64;
        let raw: Vec<[f32; 4]> = self.gpu.read_range(buffer, problem as u64 * bytes, bytes)?;
        Ok(raw.iter().map(|p| [p[0], p[1], p[2]].map(f64::from)).collect())
    }

    /// Reads the gradients by the parameters of all problems back, laid out as the parameters are.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read_parameter_gradients(&self) -> Result<Vec<[f64; PARAMETERS]>, GpuError> {
        let raw: Vec<f32> = self.gpu.read(&self.parameter_grads)?;
        let row = |row: &[f32]| std::array::from_fn(|i| f64::from(row[i]));
        Ok(raw.chunks_exact(STRIDE).take(self.batch).map(row).collect())
    }

    /// Problems there is room for.
    #[must_use]
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// Parameters: 64 floats a problem, [`PARAMETERS`] of them used.
    #[must_use]
    pub const fn parameters(&self) -> &Buffer {
        &self.parameters
    }

    /// Posed vertices, metres: a `vec4` (w = 0) for each vertex of each problem.
    #[must_use]
    pub const fn vertices(&self) -> &Buffer {
        &self.vertices
    }

    /// Posed joints, metres: 16 `vec4` (w = 0) a problem.
    #[must_use]
    pub const fn joints(&self) -> &Buffer {
        &self.joints
    }

    /// Gradient of the loss by [`Self::vertices`], for the kernels of a loss to write; w is not read.
    #[must_use]
    pub const fn vertex_grads(&self) -> &Buffer {
        &self.vertex_grads
    }

    /// Gradient of the loss by [`Self::joints`]; w is not read.
    #[must_use]
    pub const fn joint_grads(&self) -> &Buffer {
        &self.joint_grads
    }

    /// Gradient of the loss by [`Self::parameters`], laid out like them; zero where nothing stands.
    #[must_use]
    pub const fn parameter_grads(&self) -> &Buffer {
        &self.parameter_grads
    }
}
