//! The hand layer against smplx 0.1.28 on files in MANO's format (made-up shapes in real containers): vertices and joints
//! of both sides, both mean conventions and two PCA sizes, and gradients.
//!
//! The files are in `$THENAR_SHARED`, else in `../shared` beside the package; without them the tests say so.

mod common;

use common::{gpu, shared};
use nalgebra::{Matrix3, Vector3};
use thenar::anatomy::{JOINTS, Side};
use thenar::capture::Npz;
use thenar::hand::mano::{self, ManoConvention};
use thenar::hand::{
    HandLayer, HandModel, HandParameters, PARAMETERS, POSE, PoseBasis, SCALE, SHAPE, TRANSL, parameter_vector,
};
use thenar::posing::{DeviceLayer, LayerKernels};

/// Rows of three numbers.
type Points = Vec<[f64; 3]>;

const POSES: usize = 20;

/// The variants in the reference: name, side, flat hand, PCA coefficients.
const VARIANTS: [(&str, Side, bool, Option<usize>); 8] = [
    ("RIGHT_flat0", Side::Right, false, None),
    ("RIGHT_flat1", Side::Right, true, None),
    ("LEFT_flat0", Side::Left, false, None),
    ("LEFT_flat1", Side::Left, true, None),
    ("RIGHT_pca6", Side::Right, false, Some(6)),
    ("RIGHT_pca12", Side::Right, false, Some(12)),
    ("LEFT_pca6", Side::Left, false, Some(6)),
    ("LEFT_pca12", Side::Left, false, Some(12)),
];

/// Inputs of the reference and its arrays.
struct Reference {
    npz: Npz,
    models: [HandModel; 2],
    global_orient: Vec<[f64; 3]>,
    hand_pose: Vec<[f64; 45]>,
    pca_pose: Vec<[f64; 45]>,
    betas: Vec<[f64; 10]>,
    transl: Vec<[f64; 3]>,
}

fn rows<const N: usize>(npz: &mut Npz, name: &str) -> Vec<[f64; N]> {
    let array = npz.array(name).unwrap_or_else(|e| panic!("{e}"));
    array.values.as_chunks::<N>().0.to_vec()
}

impl Reference {
    fn open() -> Option<Self> {
        let folder = shared("fixtures/mano_format")?;
        // The left file has shape directions of its own, so there is nothing to repair.
        let convention = ManoConvention { fix_left_shapedirs: false, ..ManoConvention::default() };
        let model = |side: Side| {
            let path = folder.join(format!("chumpy_py2_p2/MANO_{}.pkl", side.name().to_uppercase()));
            mano::load(&path, side, &convention).expect("a sound file")
        };
        let mut npz = Npz::open(&folder.join("reference.npz")).expect("the reference is beside the files");
        Some(Self {
            models: Side::BOTH.map(model),
            global_orient: rows(&mut npz, "global_orient"),
            hand_pose: rows(&mut npz, "hand_pose"),
            pca_pose: rows(&mut npz, "pca_pose"),
            betas: rows(&mut npz, "betas"),
            transl: rows(&mut npz, "transl"),
            npz,
        })
    }

    fn basis(&self, side: Side, flat: bool, components: Option<usize>) -> PoseBasis {
        let model = &self.models[side.index()];
        components.map_or_else(|| PoseBasis::axis_angle(model, flat), |n| PoseBasis::components(model, n, flat))
    }

    /// Parameters of pose `i`, whose pose numbers mean what the variant's basis says.
    fn numbers(&self, i: usize, side: Side, components: Option<usize>) -> HandParameters {
        HandParameters {
            side,
            global_orient: self.global_orient[i],
            transl: self.transl[i],
            hand_pose: components.map_or_else(|| self.hand_pose[i].to_vec(), |n| self.pca_pose[i][..n].to_vec()),
            betas: self.betas[i].to_vec(),
            scale: 1.0,
        }
    }

    /// Vertices and joints of every pose.
    fn outputs(&mut self, variant: &str, kind: &str) -> Vec<(Points, Points)> {
        let vertices: Vec<[f64; 3]> = rows(&mut self.npz, &format!("{variant}_{kind}_verts"));
        let joints: Vec<[f64; 3]> = rows(&mut self.npz, &format!("{variant}_{kind}_joints"));
        let count = vertices.len() / POSES;
        vertices.chunks(count).map(<[_]>::to_vec).zip(joints.chunks(JOINTS).map(<[_]>::to_vec)).collect()
    }
}

fn single(x: &mut f64) {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
    {
        *x = f64::from(*x as f32);
    }
}

/// The model as smplx holds it: these arrays are rounded to single precision, also when it computes in double.
fn rounded(model: &HandModel) -> HandModel {
    let mut m = model.clone();
    m.template.as_flattened_mut().iter_mut().for_each(single);
    m.shape_directions.as_flattened_mut().as_flattened_mut().iter_mut().for_each(single);
    let directions = m.pose_directions.as_mut().expect("MANO has correctives");
    directions.as_flattened_mut().as_flattened_mut().iter_mut().for_each(single);
    m.joint_regressor.iter_mut().flatten().for_each(|(_, x)| single(x));
    m.skin_weights.as_flattened_mut().iter_mut().for_each(single);
    m
}

/// smplx's rotation of an axis-angle vector: it adds 1e-8 to each component before it takes the length for the angle, which
/// moves a posed vertex by some 1e-9 m.
fn rotation_of_smplx(v: &[f64]) -> Matrix3<f64> {
    let v = Vector3::from_column_slice(v);
    let angle = v.add_scalar(1e-8).norm();
    let k = (v / angle).cross_matrix();
    Matrix3::identity() + k * angle.sin() + k * k * (1.0 - angle.cos())
}

fn worst(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
    assert_eq!(a.len(), b.len(), "as many points");
    a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_twin_reproduces_the_reference() {
    let Some(mut reference) = Reference::open() else { return };
    for (name, side, flat, components) in VARIANTS {
        let expected = reference.outputs(name, "f64");
        let model = &reference.models[side.index()];
        let (layer, as_smplx_holds_it) = (HandLayer::new(model), HandLayer::new(&rounded(model)));
        let basis = reference.basis(side, flat, components);
        let (mut alike, mut exact) = (0.0f64, 0.0f64);
        for (i, (vertices, joints)) in expected.iter().enumerate() {
            let mut p = reference.numbers(i, side, components);
            p.hand_pose = basis.pose(&p.hand_pose).to_vec();
            let local: [Matrix3<f64>; JOINTS] = std::array::from_fn(|j| match j {
                0 => rotation_of_smplx(&p.global_orient),
                _ => rotation_of_smplx(&p.hand_pose[3 * (j - 1)..3 * j]),
            });
            let mut pass = layer.new_pass();
            as_smplx_holds_it.forward_rotations(&local, &p.betas, p.transl, p.scale, &mut pass);
            alike = alike.max(worst(&pass.vertices, vertices)).max(worst(&pass.joints, joints));
            layer.forward_into(&p, &mut pass);
            exact = exact.max(worst(&pass.vertices, vertices)).max(worst(&pass.joints, joints));
        }
        eprintln!("{name}: {alike:.1e} m with smplx's numbers and rotations, {exact:.1e} m with the file's");
        assert!(alike < 1e-9, "{name}: {alike} m");
        assert!(exact < 5e-8, "{name}: {exact} m");
    }
    // Negative: another mean convention is far away.
    let expected = reference.outputs("RIGHT_flat0", "f64");
    let layer = HandLayer::new(&reference.models[Side::Right.index()]);
    let pass = layer.forward(&reference.numbers(3, Side::Right, None));
    assert!(worst(&pass.vertices, &expected[3].0) > 1e-3, "a pose without its mean is noticed");
}

/// Gradients of the reference, ordered like the parameters; what it does not have is NaN.
fn reference_gradients(reference: &mut Reference) -> Vec<[f64; PARAMETERS]> {
    let orient: Vec<[f64; 3]> = rows(&mut reference.npz, "grad_global_orient");
    let transl: Vec<[f64; 3]> = rows(&mut reference.npz, "grad_transl");
    let pose: Vec<[f64; 45]> = rows(&mut reference.npz, "grad_hand_pose");
    let betas: Vec<[f64; 10]> = rows(&mut reference.npz, "grad_betas");
    let gradient = |i: usize| {
        let mut g = [f64::NAN; PARAMETERS];
        g[..TRANSL].copy_from_slice(&orient[i]);
        g[TRANSL..POSE].copy_from_slice(&transl[i]);
        g[POSE..SHAPE].copy_from_slice(&pose[i]);
        g[SHAPE..SCALE].copy_from_slice(&betas[i]);
        g
    };
    (0..POSES).map(gradient).collect()
}

/// What the reference's loss `Σ w·verts + Σ u·joints` is differentiated by.
fn output_gradients(reference: &mut Reference) -> Vec<(Points, [[f64; 3]; JOINTS])> {
    let w: Vec<[f64; 3]> = rows(&mut reference.npz, "grad_w_verts");
    let u: Vec<[f64; 3]> = rows(&mut reference.npz, "grad_u_joints");
    let count = w.len() / POSES;
    w.chunks(count).map(<[_]>::to_vec).zip(u.as_chunks::<JOINTS>().0.iter().copied()).collect()
}

/// Largest difference relative to the largest entry of the block (orientation, translation, pose, shape).
fn gradient_difference(found: &[f64; PARAMETERS], expected: &[f64; PARAMETERS]) -> f64 {
    let of_block = |block: std::ops::Range<usize>| {
        let size = expected[block.clone()].iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        block.map(|i| (found[i] - expected[i]).abs()).fold(0.0, f64::max) / size
    };
    [0..TRANSL, TRANSL..POSE, POSE..SHAPE, SHAPE..SCALE].into_iter().map(of_block).fold(0.0, f64::max)
}

#[test]
fn the_gradient_reproduces_the_reference() {
    let Some(mut reference) = Reference::open() else { return };
    let expected = reference_gradients(&mut reference);
    let outputs = output_gradients(&mut reference);
    let layer = HandLayer::new(&reference.models[Side::Right.index()]);
    let basis = reference.basis(Side::Right, false, None);
    let mut worst = 0.0f64;
    for (i, (vertices, joints)) in outputs.iter().enumerate() {
        let mut p = reference.numbers(i, Side::Right, None);
        p.hand_pose = basis.pose(&p.hand_pose).to_vec();
        let pass = layer.forward(&p);
        let mut found = layer.backward(&pass, vertices, joints).parameters(&p);
        worst = worst.max(gradient_difference(&found, &expected[i]));
        found[POSE + 7] *= 1.0 + 1e-4;
        found[POSE + 7] += 1e-4 * expected[i][POSE..SHAPE].iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        assert!(gradient_difference(&found, &expected[i]) > 1e-6, "a wrong entry is noticed");
    }
    eprintln!("gradients against smplx: {worst:.1e}");
    assert!(worst < 1e-6, "gradients differ by {worst}");
}

#[test]
fn the_kernels_reproduce_the_reference() {
    let (Some(mut reference), Some(gpu)) = (Reference::open(), gpu()) else { return };
    let kernels = LayerKernels::new(&gpu).expect("compiles");
    let gradients = reference_gradients(&mut reference);
    let by_outputs = output_gradients(&mut reference);
    for (name, side, flat, components) in VARIANTS {
        let expected = reference.outputs(name, "f64");
        let basis = reference.basis(side, flat, components);
        let layer =
            DeviceLayer::new(&gpu, &kernels, &reference.models[side.index()], &basis, POSES).expect("there is room");
        let problems: Vec<_> = (0..POSES).map(|i| parameter_vector(&reference.numbers(i, side, components))).collect();
        layer.write_parameters(&problems);
        for (i, (vertices, joints)) in by_outputs.iter().enumerate() {
            layer.write_output_gradients(i, vertices, joints);
        }
        let mut recorder = gpu.recorder("hand layer");
        layer.record_forward(&mut recorder);
        layer.record_backward(&mut recorder);
        recorder.submit().expect("runs");
        let mut error = 0.0f64;
        for (i, (vertices, joints)) in expected.iter().enumerate() {
            let (v, j) = (layer.read_vertices(i).expect("readable"), layer.read_joints(i).expect("readable"));
            error = error.max(worst(&v, vertices)).max(worst(&j, joints));
        }
        eprintln!("{name} on the device: {error:.1e} m");
        assert!(error < 1e-5, "{name}: {error} m");
        if name == "RIGHT_flat0" {
            let found = layer.read_parameter_gradients().expect("readable");
            let error = found.iter().zip(&gradients).map(|(f, e)| gradient_difference(f, e)).fold(0.0, f64::max);
            eprintln!("{name} on the device: gradients {error:.1e}");
            assert!(error < 5e-5, "{name}: gradients differ by {error}");
        }
    }
}
