//! Refinement of all hands together, in `f64`: keypoints as before, and besides them the silhouettes in the masks, the
//! equal shape of one person's two hands, and that two hands do not run into each other.
//!
//! Outlines and contacts are collected, held for some Levenberg-Marquardt steps, and collected anew (as in iterated closest
//! points). A vertex on the outline should lie on the edge of the mask: its residual is the signed distance to it, robust.
//! Only masks that agree with the hands fitted to the keypoints take part, and those that a user has edited.

use super::HandFitSettings;
use super::contour::{Outline, PosedOutline, outline_vertices};
use super::mask_field::MaskField;
use super::normal::add_point;
use super::problem::{HandProblem, Weights};
use super::reference::{System, hand_normal, robust};
use crate::hand::{
    HandModel, PARAMETERS, POSE, PointJacobian, SCALE, SHAPE, VertexJacobians, parameters_from_vector, pose_hand,
};
use nalgebra::{DMatrix, DVector, Matrix3, Vector3};

/// Steps between two collections.
const INNER_STEPS: usize = 4;
/// A mask takes part when this share of the outline is near its edge …
const AGREEMENT: f64 = 0.7;
/// … with at least so many vertices on the outline.
const LEAST_VERTICES: usize = 20;
/// How near is near: this share of the hands' extent in the view.
const NEAR_SHARE: f64 = 0.03;
/// Vertices farther inside the other hand than this belong to its other side.
const DEEPEST_M: f64 = 0.02;

/// What a view's mask had to say.
#[derive(Clone, Debug, PartialEq)]
pub struct SilhouetteReport {
    /// View index.
    pub view: usize,
    /// Share of the outline near the mask's edge, before.
    pub agreement: f64,
    /// Whether the mask took part.
    pub used: bool,
    /// Median distance of the outline to the mask's edge before, pixels.
    pub before_px: f64,
    /// The same after.
    pub after_px: f64,
}

/// A vertex of one hand inside the other: the nearest vertex there, and its outward normal.
struct Contact {
    hand: usize,
    vertex: usize,
    other: usize,
    other_vertex: usize,
    normal: Vector3<f64>,
}

/// What is held between two collections.
struct Held {
    /// `(field, hand, vertex)`.
    outline: Vec<(usize, usize, usize)>,
    contacts: Vec<Contact>,
    /// Standard deviation of the masks' edges, as found, pixels.
    sigma_px: f64,
    /// Distance at which an edge counts half.
    robust_px: f64,
}

/// All hands of a capture with the masks they are compared with.
pub(super) struct Refinement<'a> {
    models: &'a [&'a HandModel],
    problems: &'a [HandProblem],
    weights: &'a Weights,
    settings: &'a HandFitSettings,
    outlines: Vec<Outline>,
    /// View and field.
    fields: Vec<(usize, MaskField)>,
}

/// Parameters of each hand.
pub(super) type Hands = Vec<[f64; PARAMETERS]>;

struct Joint {
    hessian: DMatrix<f64>,
    gradient: DVector<f64>,
    loss: f64,
}

impl<'a> Refinement<'a> {
    pub(super) fn new(
        models: &'a [&'a HandModel],
        problems: &'a [HandProblem],
        weights: &'a Weights,
        settings: &'a HandFitSettings,
        fields: Vec<(usize, MaskField)>,
    ) -> Self {
        let outlines = models.iter().map(|m| Outline::new(m)).collect();
        Self { models, problems, weights, settings, outlines, fields }
    }

    fn posed(&self, hands: &Hands) -> Vec<PosedOutline<'_>> {
        let pose = |(hand, x): (usize, &[f64; PARAMETERS])| {
            let model = self.models[hand];
            let vertices = pose_hand(model, &parameters_from_vector(model.side, x)).vertices;
            PosedOutline::new(&self.outlines[hand], vertices)
        };
        hands.iter().enumerate().map(pose).collect()
    }

    /// Distance of each vertex of the outline to the mask's edge, and the extent of the hands in the view, full pixels.
    fn distances(field: &MaskField, posed: &[PosedOutline<'_>]) -> (Vec<f64>, f64) {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        let mut distances = Vec::new();
        for (hand, vertex) in outline_vertices(posed, field) {
            let Some(p) = field.camera.project(&Vector3::from(posed[hand].vertices[vertex])) else { continue };
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
            // Beyond the region around the hands is far away in any case.
            distances.push(field.at(p.x, p.y).map_or(f64::INFINITY, |(d, _)| d.abs()));
        }
        let extent = (high[0] - low[0]).max(high[1] - low[1]).max(0.0);
        (distances, extent * f64::from(field.step))
    }

    /// Keeps the masks that agree with the hands; reports on all.
    fn choose(&mut self, hands: &Hands) -> Vec<SilhouetteReport> {
        let posed = self.posed(hands);
        let mut reports = Vec::new();
        for (view, field) in &self.fields {
            let (distances, extent) = Self::distances(field, &posed);
            let near = distances.iter().filter(|d| **d < NEAR_SHARE * extent).count();
            #[expect(clippy::cast_precision_loss, reason = "some hundred vertices")]
            let agreement = near as f64 / distances.len().max(1) as f64;
            reports.push(SilhouetteReport {
                view: *view,
                agreement,
                used: (agreement >= AGREEMENT || field.edited) && distances.len() >= LEAST_VERTICES,
                before_px: super::super::pose::median(distances),
                after_px: 0.0,
            });
        }
        let mut used = reports.iter().map(|r| r.used);
        self.fields.retain(|_| used.next().unwrap_or(false));
        reports
    }

    /// `reach`: where robustness sets in, in standard deviations of the masks' edges.
    fn collect(&self, hands: &Hands, reach: f64) -> Held {
        let posed = self.posed(hands);
        let mut outline = Vec::new();
        let mut distances = Vec::new();
        for (number, (_, field)) in self.fields.iter().enumerate() {
            for (hand, vertex) in outline_vertices(&posed, field) {
                let p = field.camera.project(&Vector3::from(posed[hand].vertices[vertex]));
                distances.extend(p.and_then(|p| field.at(p.x, p.y)).map(|(d, _)| d.abs()));
                outline.push((number, hand, vertex));
            }
        }
        // The median of |x| of a normal variable is 0.6745 σ: masks are believed as far as they agree with the hands.
        let sigma_px = (super::super::pose::median(distances) / 0.6745).max(self.settings.silhouette_sigma_px);
        Held { outline, contacts: contacts(&posed), sigma_px, robust_px: reach * sigma_px }
    }

    /// Loss, gradient and Gauss-Newton matrix of all hands.
    fn joint(&self, hands: &Hands, held: &Held) -> Joint {
        let n = PARAMETERS * hands.len();
        let mut joint = Joint { hessian: DMatrix::zeros(n, n), gradient: DVector::zeros(n), loss: 0.0 };
        let mut systems: Vec<System> =
            hands.iter().zip(self.problems).map(|(x, problem)| hand_normal(problem, self.weights, x)).collect();
        joint.loss += systems.iter().flat_map(|s| &s.losses).sum::<f64>();
        let mut points = Points::new(self, hands);
        joint.loss += self.add_silhouettes(&mut points, held, &mut systems);
        for (hand, system) in systems.iter().enumerate() {
            let first = hand * PARAMETERS;
            joint.gradient.rows_mut(first, PARAMETERS).copy_from_slice(&system.gradient);
            for (p, row) in system.hessian.iter().enumerate() {
                for (q, value) in row.iter().enumerate().skip(p) {
                    joint.hessian[(first + p, first + q)] = *value;
                    joint.hessian[(first + q, first + p)] = *value;
                }
            }
        }
        self.add_contacts(&mut points, held, &mut joint);
        if let [a, b] = hands.as_slice() {
            let tie = self.settings.shape_tie_sigma.powi(-2);
            for p in SHAPE..SCALE {
                let (i, j) = (p, PARAMETERS + p);
                let d = a[p] - b[p];
                joint.loss += 0.5 * tie * d * d;
                joint.gradient[i] += tie * d;
                joint.gradient[j] -= tie * d;
                joint.hessian[(i, i)] += tie;
                joint.hessian[(j, j)] += tie;
                joint.hessian[(i, j)] -= tie;
                joint.hessian[(j, i)] -= tie;
            }
        }
        if !self.weights.scale_free {
            for hand in 0..hands.len() {
                let s = hand * PARAMETERS + SCALE;
                joint.hessian.row_mut(s).fill(0.0);
                joint.hessian.column_mut(s).fill(0.0);
                joint.hessian[(s, s)] = 1.0;
                joint.gradient[s] = 0.0;
            }
        }
        joint
    }

    /// Adds the outlines to gradients and upper triangles of the hands' systems; returns their loss.
    fn add_silhouettes(&self, points: &mut Points<'_>, held: &Held, systems: &mut [System]) -> f64 {
        let weight = self.settings.silhouette_weight / held.sigma_px.powi(2);
        let mut loss = 0.0;
        // Information and slope of each vertex, summed over the views before the parameters come in.
        let nothing = (Matrix3::zeros(), Vector3::zeros());
        let mut pulls: Vec<Vec<_>> = self.models.iter().map(|m| vec![nothing; m.template.len()]).collect();
        for &(field, hand, vertex) in &held.outline {
            let world = points.of(hand, vertex).position.into();
            let Some((d, slope)) = self.fields[field].1.at_world(&world) else { continue };
            let (value, w) = robust(d * d, held.robust_px * held.robust_px);
            loss += weight * value;
            let j = Vector3::from(slope);
            let entry = &mut pulls[hand][vertex];
            entry.0 += j * j.transpose() * (weight * w);
            entry.1 += j * (d * weight * w);
        }
        for (hand, (pulls, system)) in pulls.iter().zip(systems).enumerate() {
            for (vertex, (a, g)) in pulls.iter().enumerate().filter(|(_, pull)| **pull != nothing) {
                let columns = points.of(hand, vertex).columns.iter().map(|c| (*c).into());
                add_point(columns, a, g, &mut system.hessian, &mut system.gradient);
            }
        }
        loss
    }

    fn add_contacts(&self, points: &mut Points<'_>, held: &Held, joint: &mut Joint) {
        let weight = self.settings.contact_sigma_m.powi(-2);
        for contact in &held.contacts {
            let own = points.of(contact.hand, contact.vertex).clone();
            let other = points.of(contact.other, contact.other_vertex);
            let depth = contact.normal.dot(&(own.position - other.position)).min(0.0);
            if depth == 0.0 {
                continue;
            }
            joint.loss += 0.5 * weight * depth * depth;
            let mut row = DVector::zeros(joint.gradient.len());
            for p in 0..PARAMETERS {
                row[contact.hand * PARAMETERS + p] += contact.normal.dot(&own.columns[p]);
                row[contact.other * PARAMETERS + p] -= contact.normal.dot(&other.columns[p]);
            }
            joint.gradient.axpy(weight * depth, &row, 1.0);
            joint.hessian.ger(weight, &row, &row, 1.0);
        }
    }

    /// Refines `hands` (in and out) and says what the masks did.
    pub(super) fn run(&mut self, hands: &mut Hands) -> Vec<SilhouetteReport> {
        let mut reports = self.choose(hands);
        let rounds = self.settings.refine_rounds;
        for round in 0..rounds {
            // Wide at first, so that fingers a little off are not outliers; then narrow.
            let t = f64::from(round) / f64::from((rounds - 1).max(1));
            let held = self.collect(hands, 4.0 * (1.0 - t) + 2.0 * t);
            let gain = self.descend(hands, &held);
            // Without masks nothing gets narrower: what has come to rest stays there.
            if self.fields.is_empty() && gain < 1e-6 {
                break;
            }
        }
        let posed = self.posed(hands);
        for (view, field) in &self.fields {
            if let Some(report) = reports.iter_mut().find(|r| r.view == *view) {
                report.after_px = super::super::pose::median(Self::distances(field, &posed).0);
            }
        }
        reports
    }

    /// What keypoints, masks and contacts say about each hand: its Gauss-Newton matrix (rows of 62).
    pub(super) fn information(&self, hands: &Hands) -> Vec<Vec<[f64; PARAMETERS]>> {
        let joint = self.joint(hands, &self.collect(hands, 2.0));
        let own = |first: usize, p: usize| std::array::from_fn(|q| joint.hessian[(first + p, first + q)]);
        (0..hands.len()).map(|hand| (0..PARAMETERS).map(|p| own(hand * PARAMETERS, p)).collect()).collect()
    }

    /// Some Levenberg-Marquardt steps on what is held; by what share they made the loss smaller.
    fn descend(&self, hands: &mut Hands, held: &Held) -> f64 {
        let mut lambda = 1e-3;
        let mut best = self.joint(hands, held);
        let before = best.loss;
        for _ in 0..INNER_STEPS {
            let Some(step) = solve(&best, lambda) else { break };
            let turned = |i: usize| i % PARAMETERS < 3 || (POSE..SHAPE).contains(&(i % PARAMETERS));
            let turn = (0..step.len()).filter(|&i| turned(i)).map(|i| step[i].abs()).fold(0.0, f64::max);
            let factor = (0.3 / turn.max(1e-12)).min(1.0);
            let mut trial = hands.clone();
            for (i, value) in trial.iter_mut().flatten().enumerate() {
                *value += factor * step[i];
            }
            let found = self.joint(&trial, held);
            if found.loss < best.loss {
                let gain = best.loss - found.loss;
                (*hands, best) = (trial, found);
                lambda *= 0.2;
                if gain < 1e-7 * best.loss {
                    break;
                }
            } else {
                lambda *= 10.0;
            }
        }
        (before - best.loss) / before.abs().max(1e-12)
    }
}

/// `−(H + λ diag H)⁻¹ g`.
fn solve(system: &Joint, lambda: f64) -> Option<DVector<f64>> {
    let size = system.hessian.diagonal().map(|d| d.max(1e-12).sqrt());
    let mut scaled = system.hessian.clone();
    for p in 0..size.len() {
        for q in 0..size.len() {
            scaled[(p, q)] /= size[p] * size[q];
        }
        scaled[(p, p)] += lambda;
    }
    let right = -system.gradient.component_div(&size);
    scaled.cholesky().map(|c| c.solve(&right).component_div(&size)).filter(|s| s.iter().all(|v| v.is_finite()))
}

/// Vertices with derivatives, worked out once each.
struct Points<'a> {
    jacobians: Vec<VertexJacobians<'a>>,
    known: Vec<Vec<Option<Box<PointJacobian>>>>,
}

impl<'a> Points<'a> {
    fn new(refinement: &Refinement<'a>, hands: &Hands) -> Self {
        let jacobians = refinement
            .models
            .iter()
            .zip(refinement.problems)
            .zip(hands)
            .map(|((model, problem), x)| {
                VertexJacobians::new(model, &problem.model, &parameters_from_vector(model.side, x))
            })
            .collect();
        let known = refinement.models.iter().map(|m| vec![None; m.template.len()]).collect();
        Self { jacobians, known }
    }

    fn of(&mut self, hand: usize, vertex: usize) -> &PointJacobian {
        let jacobians = &self.jacobians[hand];
        self.known[hand][vertex].get_or_insert_with(|| Box::new(jacobians.vertex(vertex)))
    }
}

/// Vertices of one hand that are inside the other.
fn contacts(posed: &[PosedOutline<'_>]) -> Vec<Contact> {
    let mut found = Vec::new();
    let [a, b] = posed else { return found };
    for (hand, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        let inside = |(low, high): &([f64; 3], [f64; 3]), margin: f64, p: &[f64; 3]| {
            (0..3).all(|k| p[k] > low[k] - margin && p[k] < high[k] + margin)
        };
        let (own_box, other_box) = (bounds(&own.vertices), bounds(&other.vertices));
        let others: Vec<(usize, [f64; 3])> =
            other.vertices.iter().copied().enumerate().filter(|(_, q)| inside(&own_box, DEEPEST_M, q)).collect();
        for (vertex, p) in own.vertices.iter().enumerate().filter(|(_, p)| inside(&other_box, 0.0, p)) {
            let (mut other_vertex, mut distance) = (None, DEEPEST_M * DEEPEST_M);
            for (number, q) in &others {
                let square = (q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2) + (q[2] - p[2]).powi(2);
                if square < distance {
                    (other_vertex, distance) = (Some(*number), square);
                }
            }
            let (Some(other_vertex), p) = (other_vertex, Vector3::from(*p)) else { continue };
            let normal = Vector3::from(other.normals[other_vertex]);
            let depth = normal.dot(&(p - Vector3::from(other.vertices[other_vertex])));
            // Beside the other hand the nearest vertex is near, but the way to it does not run along the normal.
            if depth < 0.0 && depth * depth > 0.5 * distance {
                found.push(Contact { hand, vertex, other: 1 - hand, other_vertex, normal });
            }
        }
    }
    found
}

fn bounds(points: &[[f64; 3]]) -> ([f64; 3], [f64; 3]) {
    points.iter().fold(([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]), |(low, high), p| {
        (std::array::from_fn(|k| low[k].min(p[k])), std::array::from_fn(|k| high[k].max(p[k])))
    })
}

#[cfg(test)]
mod tests;
