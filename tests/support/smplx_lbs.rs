//! Linear blend skinning as smplx's `lbs.py` orders it, with its angle of a rotation vector: written for the tests apart from
//! the library's own, on plain arrays.

use thenar::anatomy::{JOINT_PARENTS, JOINTS};
use thenar::hand::{HandModel, HandParameters, regress_joints, shaped_template};

/// What smplx adds to each component of a rotation vector before it takes its length.
pub(crate) const EPSILON: f64 = 1e-8;

type Matrix = [[f64; 3]; 3];

const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn times(a: &Matrix, v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| (0..3).map(|k| a[i][k] * v[k]).sum())
}

/// `batch_rodrigues`: `I + sin a K + (1 − cos a) K²` with `a = |v + ε|` and `K = [v / a]×`.
fn rodrigues(v: [f64; 3], epsilon: f64) -> Matrix {
    let angle = v.iter().map(|x| (x + epsilon).powi(2)).sum::<f64>().sqrt();
    if angle == 0.0 {
        return IDENTITY;
    }
    let [x, y, z] = v.map(|c| c / angle);
    let k = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    let kk = product(&k, &k);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| IDENTITY[i][j] + angle.sin() * k[i][j] + (1.0 - angle.cos()) * kk[i][j])
    })
}

/// Vertices and joints, flat.
pub(crate) fn pose(model: &HandModel, parameters: &HandParameters, epsilon: f64) -> [Vec<f64>; 2] {
    let rotations: [Matrix; JOINTS] = std::array::from_fn(|j| {
        let v = match j {
            0 => parameters.global_orient,
            _ => std::array::from_fn(|k| parameters.hand_pose[3 * (j - 1) + k]),
        };
        rodrigues(v, epsilon)
    });
    let shaped = shaped_template(model, &parameters.betas);
    let rest = regress_joints(model, &shaped);
    let feature: Vec<f64> =
        rotations[1..].iter().flat_map(|r| (0..9).map(|i| r[i / 3][i % 3] - IDENTITY[i / 3][i % 3])).collect();
    let (mut chain, mut position) = (rotations, rest);
    for j in 1..JOINTS {
        let parent = usize::try_from(JOINT_PARENTS[j]).expect("not the root");
        chain[j] = product(&chain[parent], &rotations[j]);
        let bone = times(&chain[parent], std::array::from_fn(|k| rest[j][k] - rest[parent][k]));
        position[j] = std::array::from_fn(|k| position[parent][k] + bone[k]);
    }
    let directions = model.pose_directions.as_ref().expect("MANO has correctives");
    let mut vertices = Vec::new();
    for ((v, rows), weights) in shaped.iter().zip(directions).zip(&model.skin_weights) {
        let v: [f64; 3] = std::array::from_fn(|k| v[k] + rows[k].iter().zip(&feature).map(|(p, f)| p * f).sum::<f64>());
        let mut sum = parameters.transl;
        for (j, weight) in weights.iter().enumerate() {
            let turned = times(&chain[j], std::array::from_fn(|k| v[k] - rest[j][k]));
            (0..3).for_each(|k| sum[k] += weight * (turned[k] + position[j][k]));
        }
        vertices.extend(sum);
    }
    let joints = position.iter().flat_map(|p| (0..3).map(|k| p[k] + parameters.transl[k])).collect();
    [vertices, joints]
}
