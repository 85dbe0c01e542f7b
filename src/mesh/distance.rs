//! Exact closest points on a triangle mesh, by a bounding-volume hierarchy.

use nalgebra::Vector3;

/// Triangles per leaf.
const LEAF: usize = 4;

/// The point of a triangle nearest to `p` (Ericson 2005, §5.1.5: by the region of the plane that `p` projects into).
#[must_use]
pub fn closest_on_triangle(p: &Vector3<f64>, [a, b, c]: &[Vector3<f64>; 3]) -> Vector3<f64> {
    let (ab, ac, ap) = (b - a, c - a, p - a);
    let (d1, d2) = (ab.dot(&ap), ac.dot(&ap));
    if d1 <= 0.0 && d2 <= 0.0 {
        return *a;
    }
    let bp = p - b;
    let (d3, d4) = (ab.dot(&bp), ac.dot(&bp));
    if d3 >= 0.0 && d4 <= d3 {
        return *b;
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        return a + ab * (d1 / (d1 - d3));
    }
    let cp = p - c;
    let (d5, d6) = (ab.dot(&cp), ac.dot(&cp));
    if d6 >= 0.0 && d5 <= d6 {
        return *c;
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        return a + ac * (d2 / (d2 - d6));
    }
    let va = d3 * d6 - d5 * d4;
    if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        return b + (c - b) * ((d4 - d3) / ((d4 - d3) + (d5 - d6)));
    }
    let sum = va + vb + vc;
    if sum <= 0.0 {
        // No area: its corners stand for it.
        return *a;
    }
    a + ab * (vb / sum) + ac * (vc / sum)
}

/// The answer to a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClosestPoint {
    /// The point on the surface.
    pub point: [f64; 3],
    /// Its distance in the unit of the mesh.
    pub distance: f64,
    /// The triangle it lies on.
    pub face: u32,
    /// Its barycentric coordinates there, those of the three corners.
    pub barycentric: [f64; 3],
}

/// Barycentric coordinates of a point `q` of a triangle, by the areas it cuts off; a third each in one without area.
fn barycentric(q: &Vector3<f64>, [a, b, c]: &[Vector3<f64>; 3]) -> [f64; 3] {
    let normal = (b - a).cross(&(c - a));
    let square = normal.norm_squared();
    if square <= 0.0 {
        return [1.0 / 3.0; 3];
    }
    let share = |from: &Vector3<f64>, to: &Vector3<f64>| (from - q).cross(&(to - q)).dot(&normal) / square;
    [share(b, c), share(c, a), share(a, b)]
}

/// An axis-aligned box with either two children or a run of triangles.
#[derive(Clone, Debug)]
struct Node {
    low: Vector3<f64>,
    high: Vector3<f64>,
    /// Leaf: first triangle in `order`. Inner node: index of the second child (the first follows the node).
    start: u32,
    /// Number of triangles, 0 for an inner node.
    count: u32,
}

/// A mesh ready for closest-point queries.
#[derive(Clone, Debug)]
pub struct SurfaceIndex {
    triangles: Vec<[Vector3<f64>; 3]>,
    order: Vec<u32>,
    nodes: Vec<Node>,
}

impl SurfaceIndex {
    /// Builds the hierarchy by splitting at the middle triangle along the longest axis.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 faces")]
    pub fn new(positions: &[[f64; 3]], faces: &[[u32; 3]]) -> Self {
        let triangles: Vec<[Vector3<f64>; 3]> =
            faces.iter().map(|f| f.map(|v| Vector3::from(positions[v as usize]))).collect();
        let centres: Vec<Vector3<f64>> = triangles.iter().map(|t| (t[0] + t[1] + t[2]) / 3.0).collect();
        let order = (0..triangles.len() as u32).collect();
        let mut index = Self { triangles, order, nodes: Vec::new() };
        if !index.order.is_empty() {
            index.split(0, index.order.len(), &centres);
        }
        index
    }

    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 faces")]
    fn split(&mut self, start: usize, end: usize, centres: &[Vector3<f64>]) {
        let mut low = Vector3::repeat(f64::INFINITY);
        let mut high = Vector3::repeat(f64::NEG_INFINITY);
        for corner in self.order[start..end].iter().flat_map(|&t| &self.triangles[t as usize]) {
            low = low.inf(corner);
            high = high.sup(corner);
        }
        let node = self.nodes.len();
        if end - start <= LEAF {
            self.nodes.push(Node { low, high, start: start as u32, count: (end - start) as u32 });
            return;
        }
        self.nodes.push(Node { low, high, start: 0, count: 0 });
        let axis = (high - low).imax();
        let middle = (start + end) / 2;
        // Ties by index: the same tree every time.
        self.order[start..end].select_nth_unstable_by(middle - start, |&a, &b| {
            centres[a as usize][axis].total_cmp(&centres[b as usize][axis]).then(a.cmp(&b))
        });
        self.split(start, middle, centres);
        self.nodes[node].start = self.nodes.len() as u32;
        self.split(middle, end, centres);
    }

    /// The nearest point of the surface, `None` for an empty mesh. Equal distances go to the first found.
    #[must_use]
    pub fn closest(&self, p: [f64; 3]) -> Option<ClosestPoint> {
        let p = Vector3::from(p);
        let mut best: Option<(f64, Vector3<f64>, u32)> = None;
        let mut stack = vec![0_u32];
        if self.nodes.is_empty() {
            return None;
        }
        while let Some(at) = stack.pop() {
            let node = &self.nodes[at as usize];
            if best.is_some_and(|b| self.box_distance(at, &p) >= b.0) {
                continue;
            }
            if node.count == 0 {
                let (first, second) = (at + 1, node.start);
                // The nearer child is looked at first.
                if self.box_distance(first, &p) <= self.box_distance(second, &p) {
                    stack.extend([second, first]);
                } else {
                    stack.extend([first, second]);
                }
                continue;
            }
            for &t in &self.order[node.start as usize..(node.start + node.count) as usize] {
                let q = closest_on_triangle(&p, &self.triangles[t as usize]);
                let d = (q - p).norm_squared();
                if best.is_none_or(|b| d < b.0) {
                    best = Some((d, q, t));
                }
            }
        }
        best.map(|(d, q, face)| ClosestPoint {
            point: q.into(),
            distance: d.sqrt(),
            face,
            barycentric: barycentric(&q, &self.triangles[face as usize]),
        })
    }

    /// Calls `visit` with every pair of different triangles whose boxes touch, the smaller index first, each pair once.
    pub(super) fn touching_pairs(&self, mut visit: impl FnMut(u32, u32)) {
        self.descend(self, |a, b| match a.cmp(&b) {
            std::cmp::Ordering::Less => visit(a, b),
            std::cmp::Ordering::Greater => visit(b, a),
            std::cmp::Ordering::Equal => {}
        });
    }

    /// Calls `visit` with every pair of a triangle of this and one of the other mesh whose boxes touch.
    pub(super) fn touching_pairs_with(&self, other: &Self, visit: impl FnMut(u32, u32)) {
        self.descend(other, visit);
    }

    /// Walks down both hierarchies at once. Where both are one, a pair of nodes is entered once, not in both orders.
    fn descend(&self, other: &Self, mut visit: impl FnMut(u32, u32)) {
        let one = std::ptr::eq(self, other);
        if self.nodes.is_empty() || other.nodes.is_empty() {
            return;
        }
        let mut stack = vec![(0_u32, 0_u32)];
        while let Some((a, b)) = stack.pop() {
            let (na, nb) = (&self.nodes[a as usize], &other.nodes[b as usize]);
            if !boxes_touch([&na.low, &na.high], [&nb.low, &nb.high]) {
                continue;
            }
            let children = |at: u32, node: &Node| [at + 1, node.start];
            match (na.count, nb.count) {
                (0, 0) if one && a == b => {
                    let [first, second] = children(a, na);
                    stack.extend([(second, second), (first, second), (first, first)]);
                }
                (0, 0) => {
                    // The longer box is divided.
                    if (na.high - na.low).norm_squared() >= (nb.high - nb.low).norm_squared() {
                        stack.extend(children(a, na).map(|c| (c, b)));
                    } else {
                        stack.extend(children(b, nb).map(|c| (a, c)));
                    }
                }
                (0, _) => stack.extend(children(a, na).map(|c| (c, b))),
                (_, 0) => stack.extend(children(b, nb).map(|c| (a, c))),
                _ => self.leaves(other, [na, nb], one && a == b, &mut visit),
            }
        }
    }

    /// The pairs of two leaves.
    fn leaves(&self, other: &Self, [na, nb]: [&Node; 2], same: bool, visit: &mut impl FnMut(u32, u32)) {
        let run = |node: &Node| node.start as usize..(node.start + node.count) as usize;
        for (i, &s) in self.order[run(na)].iter().enumerate() {
            let [low, high] = extent(&self.triangles[s as usize]);
            for &t in &other.order[run(nb)][if same { i + 1 } else { 0 }..] {
                let [other_low, other_high] = extent(&other.triangles[t as usize]);
                if boxes_touch([&low, &high], [&other_low, &other_high]) {
                    visit(s, t);
                }
            }
        }
    }

    /// Squared distance to a node's box, 0 inside.
    fn box_distance(&self, node: u32, p: &Vector3<f64>) -> f64 {
        let node = &self.nodes[node as usize];
        (0..3).map(|i| (node.low[i] - p[i]).max(p[i] - node.high[i]).max(0.0).powi(2)).sum()
    }
}

fn extent([a, b, c]: &[Vector3<f64>; 3]) -> [Vector3<f64>; 2] {
    [a.inf(b).inf(c), a.sup(b).sup(c)]
}

/// True when two boxes (low, high) share a point.
fn boxes_touch(a: [&Vector3<f64>; 2], b: [&Vector3<f64>; 2]) -> bool {
    (0..3).all(|i| a[0][i] <= b[1][i] && b[0][i] <= a[1][i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn the_closest_point_beats_a_dense_sampling_of_the_triangle() {
        let mut s = 7;
        for round in 0..200 {
            let mut v = || Vector3::new(random(&mut s), random(&mut s), random(&mut s));
            let (triangle, p) = ([v(), v(), v()], v() * 2.0);
            let q = closest_on_triangle(&p, &triangle);
            let best = (q - p).norm();
            let mut sampled = f64::INFINITY;
            for i in 0..=60 {
                for j in 0..=60 - i {
                    let (u, w) = (f64::from(i) / 60.0, f64::from(j) / 60.0);
                    let x = triangle[0] * (1.0 - u - w) + triangle[1] * u + triangle[2] * w;
                    sampled = sampled.min((x - p).norm());
                }
            }
            assert!(best <= sampled + 1e-12 && best > sampled - 0.03, "round {round}: {best} against {sampled}");
        }
    }

    #[test]
    fn the_hierarchy_agrees_with_brute_force() {
        let mut s = 3;
        let positions: Vec<[f64; 3]> = (0..300).map(|_| [random(&mut s), random(&mut s), random(&mut s)]).collect();
        let faces: Vec<[u32; 3]> = (0..100).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
        let index = SurfaceIndex::new(&positions, &faces);
        for _ in 0..500 {
            let p = [random(&mut s) * 3.0 - 1.0, random(&mut s) * 3.0 - 1.0, random(&mut s) * 3.0 - 1.0];
            let found = index.closest(p).expect("a surface");
            let brute = faces
                .iter()
                .map(|f| {
                    let t = f.map(|v| Vector3::from(positions[v as usize]));
                    (closest_on_triangle(&Vector3::from(p), &t) - Vector3::from(p)).norm()
                })
                .fold(f64::INFINITY, f64::min);
            assert!((found.distance - brute).abs() < 1e-12, "{} is not {brute}", found.distance);
            let back = (Vector3::from(found.point) - Vector3::from(p)).norm();
            assert!((back - brute).abs() < 1e-12, "the point is that far away");
            let corners = faces[found.face as usize].map(|v| Vector3::from(positions[v as usize]));
            let mixed = (0..3).map(|k| corners[k] * found.barycentric[k]).sum::<Vector3<f64>>();
            assert!((mixed - Vector3::from(found.point)).norm() < 1e-12, "and its corners make it");
        }
        assert!(SurfaceIndex::new(&[], &[]).closest([0.0; 3]).is_none(), "no surface, no point");
    }

    #[test]
    fn pairs_of_boxes_are_those_of_brute_force_each_once() {
        let mut s = 11;
        let mut soup = |count: u32| {
            let mut positions: Vec<[f64; 3]> = Vec::new();
            for _ in 0..count {
                let at = [random(&mut s), random(&mut s), random(&mut s)];
                positions.extend((0..3).map(|_| at.map(|x| x + 0.35 * random(&mut s))));
            }
            let faces: Vec<[u32; 3]> = (0..count).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
            SurfaceIndex::new(&positions, &faces)
        };
        let (a, b) = (soup(150), soup(60));
        let touch = |s: &[Vector3<f64>; 3], t: &[Vector3<f64>; 3]| {
            (0..3).all(|k| {
                let reach = |t: &[Vector3<f64>; 3]| {
                    t.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |r, p| [r[0].min(p[k]), r[1].max(p[k])])
                };
                reach(s)[0] <= reach(t)[1] && reach(t)[0] <= reach(s)[1]
            })
        };
        let mut found = Vec::new();
        a.touching_pairs(|i, j| found.push((i, j)));
        found.sort_unstable();
        let all = (0..150_u32).flat_map(|i| (i + 1..150).map(move |j| (i, j)));
        let brute: Vec<_> = all.filter(|&(i, j)| touch(&a.triangles[i as usize], &a.triangles[j as usize])).collect();
        assert!(brute.len() > 100, "the soup is dense enough: {}", brute.len());
        assert_eq!(found, brute, "within one mesh");
        let mut found = Vec::new();
        a.touching_pairs_with(&b, |i, j| found.push((i, j)));
        found.sort_unstable();
        let all = (0..150_u32).flat_map(|i| (0..60).map(move |j| (i, j)));
        let brute: Vec<_> = all.filter(|&(i, j)| touch(&a.triangles[i as usize], &b.triangles[j as usize])).collect();
        assert_eq!(found, brute, "between two");
        a.touching_pairs_with(&SurfaceIndex::new(&[], &[]), |_, _| panic!("nothing touches an empty mesh"));
    }
}
