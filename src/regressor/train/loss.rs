//! The published losses on a predicted mesh, with their gradient, in `f64`: L1 of vertices × 2, of joints × 2, of vertex
//! normals, and of squared edge lengths × 5. Each is a mean over its numbers.

use super::mean_weight;
use crate::anatomy::JOINTS;
use crate::hand::HandModel;
use nalgebra::Vector3;

/// Of vertices, joints, normals and edges.
const WEIGHTS: [f64; 4] = [2.0, 2.0, 1.0, 5.0];

/// The mesh losses of a hand model.
pub(super) struct MeshLoss {
    faces: Vec<[u32; 3]>,
    regressor: Vec<Vec<(u32, f64)>>,
}

type Points = [[f64; 3]];

fn add(to: &mut [f64; 3], v: &Vector3<f64>) {
    for (t, v) in to.iter_mut().zip(v.iter()) {
        *t += v;
    }
}

impl MeshLoss {
    pub(super) fn new(model: &HandModel) -> Self {
        Self { faces: model.faces.clone(), regressor: model.joint_regressor.clone() }
    }

    fn joints(&self, points: &Points) -> Vec<Vector3<f64>> {
        let joint = |row: &Vec<(u32, f64)>| {
            row.iter().fold(Vector3::zeros(), |sum, (v, w)| sum + Vector3::from(points[*v as usize]) * *w)
        };
        self.regressor.iter().map(joint).collect()
    }

    /// Sum of the crosses about each vertex.
    fn directions(&self, points: &Points) -> Vec<Vector3<f64>> {
        let mut out = vec![Vector3::zeros(); points.len()];
        for face in &self.faces {
            let [a, b, c] = face.map(|v| Vector3::from(points[v as usize]));
            let n = (b - a).cross(&(c - a));
            for v in face {
                out[*v as usize] += n;
            }
        }
        out
    }

    /// The weighted terms, and the gradient of their sum by the predicted vertices.
    pub(super) fn evaluate(&self, predicted: &Points, truth: &Points) -> ([f64; 4], Vec<[f64; 3]>) {
        let mut terms = [0.0; 4];
        let mut gradient = vec![[0.0; 3]; predicted.len()];
        let weight = WEIGHTS[0] * mean_weight(3 * predicted.len());
        for ((p, t), g) in predicted.iter().zip(truth).zip(&mut gradient) {
            let d = Vector3::from(*p) - Vector3::from(*t);
            terms[0] += weight * d.abs().sum();
            add(g, &(d.map(f64::signum) * weight));
        }
        let weight = WEIGHTS[1] * mean_weight(3 * JOINTS);
        for ((p, t), row) in self.joints(predicted).iter().zip(self.joints(truth)).zip(&self.regressor) {
            let d = p - t;
            terms[1] += weight * d.abs().sum();
            for (v, w) in row {
                add(&mut gradient[*v as usize], &(d.map(f64::signum) * (weight * w)));
            }
        }
        self.add_normals(predicted, truth, &mut terms, &mut gradient);
        let weight = WEIGHTS[3] * mean_weight(3 * self.faces.len());
        for face in &self.faces {
            for k in 0..3 {
                let (a, b) = (face[k] as usize, face[(k + 1) % 3] as usize);
                let along = Vector3::from(predicted[a]) - Vector3::from(predicted[b]);
                let expected = (Vector3::from(truth[a]) - Vector3::from(truth[b])).norm_squared();
                let d = along.norm_squared() - expected;
                terms[3] += weight * d.abs();
                let pull = along * (2.0 * weight * d.signum());
                add(&mut gradient[a], &pull);
                add(&mut gradient[b], &-pull);
            }
        }
        (terms, gradient)
    }

    fn add_normals(&self, predicted: &Points, truth: &Points, terms: &mut [f64; 4], gradient: &mut [[f64; 3]]) {
        let weight = WEIGHTS[2] * mean_weight(3 * predicted.len());
        let (found, expected) = (self.directions(predicted), self.directions(truth));
        let by_direction: Vec<Vector3<f64>> = found
            .iter()
            .zip(&expected)
            .map(|(n, e)| {
                let (length, e) = (n.norm(), e.try_normalize(0.0).unwrap_or_default());
                if length < 1e-12 {
                    return Vector3::zeros();
                }
                let n = n / length;
                let d = n - e;
                terms[2] += weight * d.abs().sum();
                let g = d.map(f64::signum) * weight;
                (g - n * n.dot(&g)) / length
            })
            .collect();
        for face in &self.faces {
            let [a, b, c] = face.map(|v| Vector3::from(predicted[v as usize]));
            let g: Vector3<f64> = face.iter().map(|v| by_direction[*v as usize]).sum();
            // n = (b − a) × (c − a)
            let (by_b, by_c) = ((c - a).cross(&g), g.cross(&(b - a)));
            add(&mut gradient[face[1] as usize], &by_b);
            add(&mut gradient[face[2] as usize], &by_c);
            add(&mut gradient[face[0] as usize], &-(by_b + by_c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;
    use crate::synthetic::Random;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let model = open_hand(Side::Right).expect("sound asset");
        let loss = MeshLoss::new(&model);
        let mut random = Random::new(1, "loss");
        let moved: Vec<[f64; 3]> = model.template.iter().map(|p| p.map(|x| 5.0 * x + 0.02 * random.normal())).collect();
        let truth: Vec<[f64; 3]> = model.template.iter().map(|p| p.map(|x| 5.0 * x)).collect();
        let (_, gradient) = loss.evaluate(&moved, &truth);
        let value = |v: usize, axis: usize, h: f64| {
            let mut points = moved.clone();
            points[v][axis] += h;
            loss.evaluate(&points, &truth).0.iter().sum::<f64>()
        };
        for v in (0..moved.len()).step_by(97) {
            for (axis, found) in gradient[v].iter().enumerate() {
                let h = 1e-7;
                let difference = (value(v, axis, h) - value(v, axis, -h)) / (2.0 * h);
                let off = (difference - found).abs();
                assert!(off < 1e-6 + 1e-3 * difference.abs(), "vertex {v}: {difference} and {found}");
            }
        }
        assert_eq!(loss.evaluate(&truth, &truth).0, [0.0; 4], "nothing to mend");
    }
}
