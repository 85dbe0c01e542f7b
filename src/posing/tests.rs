//! Kernels against the twin, perturbed kernels against it, and what a batch must not change.

use super::*;
use crate::anatomy::Side;
use crate::gpu::shader;
use crate::gpu::testing::{Edit, KernelTest, assert_layout, gpu};
use crate::hand::layer_gradient;
use crate::hand::random_hand::{Random, random_hand, random_parameters};
use crate::hand::{
    HandLayer, HandParameters, POSE, SCALE, SHAPE, TRANSL, open_hand, parameter_vector, parameters_from_vector,
};
use crate::kernel_checks::KernelCheck;
use std::mem::offset_of;

const fn check(kernel: usize, edits: &'static [(&'static str, &'static str)]) -> KernelCheck {
    KernelCheck { kernel: KERNELS[kernel], difference, edits, gradient: Some(layer_gradient) }
}

/// The six kernels together are the layer: each is checked through the others, against the one twin.
pub(crate) const CHECKS: &[KernelCheck] = &[
    check(0, &[("i % 4u == 0u", "i % 5u == 0u"), ("- turn * rest_joint[lane]", "- 1.001 * turn * rest_joint[lane]")]),
    check(
        1,
        &[
            ("x += directions[at] * c", "x += 1.01 * directions[at] * c"),
            ("+ transforms[t + 7u]", "+ transforms[t + 3u]"),
        ],
    ),
    check(2, &[("transforms[t + 1u] * gx", "transforms[t + 4u] * gx")]),
    check(3, &[("directions[at + plane] * y", "1.001 * directions[at + plane] * y"), ("i < 64u", "i < 63u")]),
    check(4, &[("+= g * z", "+= 1.001 * g * z"), ("i < 64u", "i < 63u")]),
    check(
        5,
        &[
            ("outer(by_position, bone)", "1.01 * outer(by_position, bone)"),
            ("transpose(left_jacobian", "(left_jacobian"),
            ("+ dot(by_offset, offset)", "+ 1.001 * dot(by_offset, offset)"),
            ("rest_grad[lane] -= ", "rest_grad[lane] -= 1.01 * "),
        ],
    ),
];

/// Metres by which posed points may differ.
const OUTPUT_TOLERANCE: f64 = 1e-6;
/// Of gradients, relative to the largest entry of their block.
const GRADIENT_TOLERANCE: f64 = 1e-5;

/// Gradients by vertices and joints.
type OutputGradients = (Vec<[f64; 3]>, [[f64; 3]; JOINTS]);

struct Case {
    model: HandModel,
    basis: PoseBasis,
    problems: Vec<[f64; PARAMETERS]>,
    gradients: Vec<OutputGradients>,
}

impl Case {
    fn new(model: HandModel, basis: PoseBasis, count: u64) -> Self {
        let random = &mut Random(77);
        let mut three = || std::array::from_fn(|_| random.signed());
        let count_of = model.template.len();
        let gradients =
            (0..count).map(|_| ((0..count_of).map(|_| three()).collect(), std::array::from_fn(|_| three()))).collect();
        let problem = |seed: u64| match seed {
            // The first is at rest: nothing may divide by an angle.
            0 => parameter_vector(&HandParameters::rest(model.side)),
            _ => parameter_vector(&random_parameters(model.side, seed)),
        };
        Self { problems: (0..count).map(problem).collect(), model, basis, gradients }
    }

    /// Largest differences of kernels and twin: points in metres, gradients relative to the largest entry of their block.
    fn differences(&self, gpu: &Gpu, kernels: &LayerKernels) -> [f64; 2] {
        let device = DeviceLayer::new(gpu, kernels, &self.model, &self.basis, self.problems.len()).expect("fits");
        device.write_parameters(&self.problems);
        for (i, (vertices, joints)) in self.gradients.iter().enumerate() {
            device.write_output_gradients(i, vertices, joints);
        }
        let mut recorder = gpu.recorder("hand layer");
        device.record_forward(&mut recorder);
        device.record_backward(&mut recorder);
        recorder.submit().expect("runs");
        let gradients = device.read_parameter_gradients().expect("readable");
        assert_eq!(gradients.len(), self.problems.len(), "one gradient a problem");

        let layer = HandLayer::new(&self.model);
        let mut worst = [0.0f64; 2];
        for (i, problem) in self.problems.iter().enumerate() {
            // The twin sees the parameters as the device got them.
            let mut x: [f64; PARAMETERS] = problem.map(|v| f64::from(f32_of(v)));
            let pose = self.basis.pose(&x[POSE..SHAPE]);
            x[POSE..SHAPE].copy_from_slice(&pose);
            let p = parameters_from_vector(self.model.side, &x);
            let pass = layer.forward(&p);
            let (vertices, joints) =
                (device.read_vertices(i).expect("readable"), device.read_joints(i).expect("readable"));
            let flat = |points: &[[f64; 3]]| points.as_flattened().to_vec();
            let expected = [flat(&pass.vertices), flat(&pass.joints)].concat();
            let found = [flat(&vertices), flat(&joints)].concat();
            worst[0] = worst[0].max(largest_difference(&found, &expected));

            let (vertices, joints) = &self.gradients[i];
            let expected = layer.backward(&pass, vertices, joints).parameters(&p);
            let pose = self.basis.gradient(&expected[POSE..SHAPE]);
            let blocks = [
                (0, expected[..TRANSL].to_vec()),
                (TRANSL, expected[TRANSL..POSE].to_vec()),
                (POSE, pose),
                (SHAPE, expected[SHAPE..SCALE].to_vec()),
                (SCALE, expected[SCALE..].to_vec()),
            ];
            for (first, expected) in blocks {
                let found = &gradients[i][first..first + expected.len()];
                let size = expected.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
                worst[1] = worst[1].max(largest_difference(found, &expected) / size);
            }
            let unused = &gradients[i][POSE + self.basis.numbers()..SHAPE];
            assert!(unused.iter().all(|g| *g == 0.0), "numbers beyond the basis have no gradient");
        }
        worst
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "as many numbers");
    // NaN is no difference that passes.
    a.iter().zip(b).map(|(a, b)| if (a - b).is_finite() { (a - b).abs() } else { f64::INFINITY }).fold(0.0, f64::max)
}

#[test]
fn layout_matches() {
    let members = [
        ("vertices", offset_of!(LayerParams, vertices)),
        ("plane", offset_of!(LayerParams, plane)),
        ("quads", offset_of!(LayerParams, quads)),
        ("components", offset_of!(LayerParams, components)),
    ];
    for kernel in KERNELS {
        assert_layout(kernel, "LayerParams", size_of::<LayerParams>(), &members);
    }
    let text = shader::source("hand/pose_joints_grad").expect("exists");
    for (name, value) in [
        ("STRIDE", STRIDE),
        ("TRANSL", TRANSL),
        ("POSE", POSE),
        ("SHAPE", SHAPE),
        ("SCALE", SCALE),
        ("GROUP", GROUP),
        ("COLUMNS", GROUPS * GROUP),
        ("TRANSFORM", TRANSFORM),
        ("JOINT_SHAPE", 3 * JOINTS),
        ("POSE_BASE", 33 * JOINTS),
        ("POSE_BASIS", 33 * JOINTS + 45),
    ] {
        assert!(text.contains(&format!("const {name}: u32 = {value}u;")), "{name} is {value} in both");
    }
}

#[test]
fn kernels_match_the_twin() {
    let Some(gpu) = gpu() else { return };
    let kernels = LayerKernels::new(&gpu).expect("compiles");
    let dense = random_hand(150, 1);
    let mut plain = random_hand(64, 2);
    plain.pose_directions = None;
    let open = open_hand(Side::Left).expect("sound asset");
    let flat = |model: &HandModel| PoseBasis::axis_angle(model, true);
    for (name, case) in [
        ("dense, axis-angle", Case::new(dense.clone(), flat(&dense), 6)),
        ("dense, mean added", Case::new(dense.clone(), PoseBasis::axis_angle(&dense, false), 1)),
        ("dense, 12 components", Case::new(dense.clone(), PoseBasis::components(&dense, 12, false), 5)),
        ("dense, 45 components", Case::new(dense.clone(), PoseBasis::components(&dense, 45, true), 2)),
        ("no correctives", Case::new(plain.clone(), flat(&plain), 4)),
        ("open hand", Case::new(open.clone(), flat(&open), 3)),
    ] {
        let [outputs, gradients] = case.differences(&gpu, &kernels);
        eprintln!("{name}: points {outputs:.1e} m, gradients {gradients:.1e}");
        assert!(outputs < OUTPUT_TOLERANCE, "{name}: points differ by {outputs} m");
        assert!(gradients < GRADIENT_TOLERANCE, "{name}: gradients differ by {gradients}");
    }
}

/// Points and gradients of a dense model, once by axis-angle and once by components.
fn difference(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let kernels = LayerKernels { kernels: KERNELS.map(|name| test.kernel(name)) };
    let model = random_hand(150, 1);
    let mut worst = 0.0_f64;
    for (basis, count) in [(PoseBasis::axis_angle(&model, true), 3), (PoseBasis::components(&model, 12, false), 2)] {
        let [points, gradients] = Case::new(model.clone(), basis, count).differences(test.gpu(), &kernels);
        worst = worst.max(points / OUTPUT_TOLERANCE).max(gradients / GRADIENT_TOLERANCE);
    }
    Some(worst)
}

/// Bits of outputs and gradients of the problems of `case` alone, or as part of a batch of `batch`.
fn bits(gpu: &Gpu, kernels: &LayerKernels, case: &Case, batch: usize) -> (Vec<u32>, Vec<u64>) {
    let device = DeviceLayer::new(gpu, kernels, &case.model, &case.basis, batch).expect("fits");
    device.write_parameters(&vec![case.problems[1]; batch]);
    device.write_parameters(&case.problems);
    for (i, (vertices, joints)) in case.gradients.iter().enumerate() {
        device.write_output_gradients(i, vertices, joints);
    }
    let mut recorder = gpu.recorder("hand layer");
    device.record_forward(&mut recorder);
    device.record_backward(&mut recorder);
    recorder.submit().expect("runs");
    let count = case.problems.len();
    let bytes = 16 * (count * case.model.template.len()) as u64;
    let vertices = gpu.read_range(device.vertices(), 0, bytes).expect("readable");
    let gradients = device.read_parameter_gradients().expect("readable");
    (vertices, gradients[..count].as_flattened().iter().map(|g| g.to_bits()).collect())
}

#[test]
fn a_problem_has_the_same_bits_in_any_batch() {
    let Some(gpu) = gpu() else { return };
    let kernels = LayerKernels::new(&gpu).expect("compiles");
    let model = random_hand(150, 1);
    let case = Case::new(model.clone(), PoseBasis::axis_angle(&model, true), 3);
    let alone = bits(&gpu, &kernels, &case, 3);
    for batch in [3, 4, 70] {
        assert!(alone == bits(&gpu, &kernels, &case, batch), "batch {batch} changes a bit");
    }
}

#[test]
#[should_panic(expected = "at most 2 problems")]
fn more_problems_than_there_is_room_for_are_refused() {
    let Some(gpu) = gpu() else { panic!("at most 2 problems: no adapter to ask") };
    let kernels = LayerKernels::new(&gpu).expect("compiles");
    let model = random_hand(10, 1);
    let device = DeviceLayer::new(&gpu, &kernels, &model, &PoseBasis::axis_angle(&model, true), 2).expect("fits");
    device.write_parameters(&[[0.0; PARAMETERS]; 3]);
}
