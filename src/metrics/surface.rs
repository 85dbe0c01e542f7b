//! Distances between two surfaces and angles between their normals, area-weighted, above a wrist cut.

use super::report::SurfaceScore;
use crate::anatomy::KEYPOINTS;
use crate::mesh::{ClosestPoint, SurfaceIndex, Topology, TriMesh};
use nalgebra::{Matrix3, Vector3};

/// Where the hand that is scored ends: points with `(x − point)·normal > 0` count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WristCut {
    /// A point of the plane, metres.
    pub point: [f64; 3],
    /// Unit normal towards the fingers.
    pub normal: [f64; 3],
}

impl WristCut {
    /// The plane through the mesh's boundary loop (least squares), moved `margin_m` metres towards the rest of the mesh.
    /// `None` for a closed mesh.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
    pub fn from_boundary(mesh: &TriMesh, margin_m: f64) -> Option<Self> {
        let topology = Topology::new(mesh.positions.len(), &mesh.faces);
        let mut on_boundary: Vec<u32> =
            topology.edges.iter().filter(|e| e.faces[1].is_none()).flat_map(|e| e.vertices).collect();
        on_boundary.sort_unstable();
        on_boundary.dedup();
        let mean = |points: &mut dyn Iterator<Item = Vector3<f64>>| {
            let (sum, count) = points.fold((Vector3::zeros(), 0_usize), |(s, n), p| (s + p, n + 1));
            (count > 0).then(|| sum / count as f64)
        };
        let at = |v: &u32| Vector3::from(mesh.positions[*v as usize]);
        let centre = mean(&mut on_boundary.iter().map(at))?;
        let spread: Matrix3<f64> = on_boundary.iter().map(|v| (at(v) - centre) * (at(v) - centre).transpose()).sum();
        let eigen = spread.symmetric_eigen();
        let normal = eigen.eigenvectors.column(eigen.eigenvalues.imin()).into_owned();
        let middle = mean(&mut mesh.positions.iter().map(|&p| Vector3::from(p)))?;
        let normal = if normal.dot(&(middle - centre)) < 0.0 { -normal } else { normal };
        // The highest boundary vertex decides, so that the whole rim is cut away.
        let rim = on_boundary.iter().map(|v| (at(v) - centre).dot(&normal)).fold(0.0, f64::max);
        Some(Self { point: (centre + normal * (rim + margin_m)).into(), normal: normal.into() })
    }

    /// True for points that count.
    #[must_use]
    pub fn keeps(&self, x: [f64; 3]) -> bool {
        (Vector3::from(x) - Vector3::from(self.point)).dot(&Vector3::from(self.normal)) > 0.0
    }
}

/// A surface that others are measured against: closest points with the normal there.
#[derive(Clone, Debug)]
pub struct ReferenceSurface {
    index: SurfaceIndex,
    faces: Vec<[u32; 3]>,
    normals: Vec<[f64; 3]>,
}

impl ReferenceSurface {
    /// Prepares a mesh for queries.
    #[must_use]
    pub fn new(mesh: &TriMesh) -> Self {
        Self {
            index: SurfaceIndex::new(&mesh.positions, &mesh.faces),
            faces: mesh.faces.clone(),
            normals: mesh.normals(),
        }
    }

    /// The nearest point and the vertex normals interpolated there (not normalised); `None` for an empty mesh.
    #[must_use]
    pub fn closest(&self, p: [f64; 3]) -> Option<(ClosestPoint, Vector3<f64>)> {
        let found = self.index.closest(p)?;
        let corners = self.faces[found.face as usize].map(|v| Vector3::from(self.normals[v as usize]));
        let normal = (0..3).map(|k| corners[k] * found.barycentric[k]).sum();
        Some((found, normal))
    }
}

/// A point of one surface held against another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurfaceSample {
    /// Distance to the nearest point of the other surface, metres.
    pub distance_m: f64,
    /// Angle between the normals at both points, radians; π where one of them cancels out and has no direction.
    pub normal_angle_rad: f64,
    /// The area it stands for, square metres.
    pub area_m2: f64,
}

/// Points of one surface held against another.
#[derive(Clone, Debug, Default)]
pub struct SurfaceSamples {
    /// In the order of the vertices.
    pub values: Vec<SurfaceSample>,
}

impl SurfaceSamples {
    /// From every vertex of `from` above the cut to the surface `to` (whole, so that the cut makes no false distances);
    /// a vertex stands for a third of its triangles' area.
    #[must_use]
    pub fn measure(from: &TriMesh, to: &ReferenceSurface, cut: Option<&WristCut>) -> Self {
        let mut area = vec![0.0; from.positions.len()];
        for f in &from.faces {
            let p = f.map(|v| Vector3::from(from.positions[v as usize]));
            let third = (p[1] - p[0]).cross(&(p[2] - p[0])).norm() / 6.0;
            for &v in f {
                area[v as usize] += third;
            }
        }
        let values = from
            .positions
            .iter()
            .zip(from.normals())
            .zip(area)
            .filter(|&((&p, _), area_m2)| area_m2 > 0.0 && cut.is_none_or(|c| c.keeps(p)))
            .filter_map(|((&p, normal), area_m2)| {
                let (found, there) = to.closest(p)?;
                let normal_angle_rad = angle_between(&Vector3::from(normal), &there);
                Some(SurfaceSample { distance_m: found.distance, normal_angle_rad, area_m2 })
            })
            .collect();
        Self { values }
    }

    /// Adds the samples of another hand.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    fn total(&self) -> f64 {
        self.values.iter().map(|s| s.area_m2).sum()
    }

    /// Area-weighted mean of a quantity; NaN without samples.
    #[must_use]
    pub fn mean(&self, of: impl Fn(&SurfaceSample) -> f64) -> f64 {
        self.values.iter().map(|s| of(s) * s.area_m2).sum::<f64>() / self.total()
    }

    /// The value of a quantity that a share (0..1) of the area stays within; NaN without samples.
    #[must_use]
    pub fn quantile(&self, of: impl Fn(&SurfaceSample) -> f64, share: f64) -> f64 {
        let mut sorted: Vec<(f64, f64)> = self.values.iter().map(|s| (of(s), s.area_m2)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = share * self.total();
        let mut area = 0.0;
        for &(value, a) in &sorted {
            area += a;
            if area >= wanted {
                return value;
            }
        }
        sorted.last().map_or(f64::NAN, |v| v.0)
    }

    /// Share of the area within `limit_m` metres of the other surface.
    #[must_use]
    pub fn within(&self, limit_m: f64) -> f64 {
        self.values.iter().filter(|s| s.distance_m <= limit_m).map(|s| s.area_m2).sum::<f64>() / self.total()
    }
}

/// The angle between two directions of any length, radians; π when one of them is zero.
fn angle_between(a: &Vector3<f64>, b: &Vector3<f64>) -> f64 {
    // By both sine and cosine: the cosine alone has no digits left for small angles.
    if a.norm_squared() > 0.0 && b.norm_squared() > 0.0 {
        a.cross(b).norm().atan2(a.dot(b))
    } else {
        std::f64::consts::PI
    }
}

/// The numbers of `evaluate` from result → truth and truth → result samples; `None` when one of them is empty.
#[must_use]
pub fn score(
    to_truth: &SurfaceSamples,
    to_result: &SurfaceSamples,
    joint_mean_mm: Option<f64>,
) -> Option<SurfaceScore> {
    if to_truth.values.is_empty() || to_result.values.is_empty() {
        return None;
    }
    let f = |limit: f64| {
        let (precision, recall) = (to_truth.within(limit), to_result.within(limit));
        if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
    };
    let millimetres = |s: &SurfaceSample| 1e3 * s.distance_m;
    let degrees = |s: &SurfaceSample| s.normal_angle_rad.to_degrees();
    Some(SurfaceScore {
        p2s_mean_mm: to_truth.mean(millimetres),
        p2s_median_mm: to_truth.quantile(millimetres, 0.5),
        p2s_p95_mm: to_truth.quantile(millimetres, 0.95),
        s2p_mean_mm: to_result.mean(millimetres),
        f1mm: f(1e-3),
        f2mm: f(2e-3),
        normal_mean_deg: to_truth.mean(degrees),
        normal_median_deg: to_truth.quantile(degrees, 0.5),
        normal_p95_deg: to_truth.quantile(degrees, 0.95),
        joint_mean_mm,
    })
}

/// Mean distance of corresponding joints over the hands that both sides have, millimetres; arrays are (left, right).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "at most 42 joints")]
pub fn joint_mean_mm(
    result: &[Option<[[f64; 3]; KEYPOINTS]>; 2],
    truth: &[Option<[[f64; 3]; KEYPOINTS]>; 2],
) -> Option<f64> {
    let distances: Vec<f64> = result
        .iter()
        .zip(truth)
        .filter_map(|(r, t)| Some(r.as_ref()?.iter().zip(t.as_ref()?)))
        .flatten()
        .map(|(&r, &t)| (Vector3::from(r) - Vector3::from(t)).norm())
        .collect();
    (!distances.is_empty()).then(|| 1e3 * distances.iter().sum::<f64>() / distances.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    fn hand() -> TriMesh {
        let model = open_hand(Side::Right).expect("the open hand");
        TriMesh { positions: model.template, faces: model.faces }
    }

    #[test]
    fn an_inflated_hand_is_as_far_away_as_it_was_moved() {
        let truth = hand();
        let normals = truth.normals();
        let mut result = truth.clone();
        for (p, n) in result.positions.iter_mut().zip(normals) {
            for i in 0..3 {
                p[i] += 0.5e-3 * n[i];
            }
        }
        let cut = WristCut::from_boundary(&truth, 5e-3).expect("an open wrist");
        let (to_truth, to_result) = (ReferenceSurface::new(&truth), ReferenceSurface::new(&result));
        let there = SurfaceSamples::measure(&result, &to_truth, Some(&cut));
        let back = SurfaceSamples::measure(&truth, &to_result, Some(&cut));
        let s = score(&there, &back, None).expect("samples");
        assert!((s.p2s_mean_mm - 0.5).abs() < 0.03 && (s.p2s_median_mm - 0.5).abs() < 0.03, "{s:?}");
        assert!(s.p2s_p95_mm <= 0.5 + 1e-9 && (s.s2p_mean_mm - 0.5).abs() < 0.06, "{s:?}");
        assert!(s.f1mm > 0.999 && there.within(0.4e-3) < 0.2, "all within 1 mm, few within 0.4 mm");
        let same = SurfaceSamples::measure(&truth, &to_truth, None);
        assert!(same.mean(|s| s.distance_m) < 1e-12, "a surface is no distance from itself");
        assert!(same.mean(|s| s.normal_angle_rad) < 1e-7, "and its normals are its own");
        assert!(score(&SurfaceSamples::default(), &back, None).is_none(), "no samples, no score");
    }

    /// A square of 100 mm in the plane z = 0 with normals +z, `n`×`n` cells.
    fn sheet(n: u32) -> TriMesh {
        let at = |i: u32| f64::from(i) * 0.1 / f64::from(n) - 0.05;
        let positions = (0..=n).flat_map(|y| (0..=n).map(move |x| [at(x), at(y), 0.0])).collect();
        let corner = |x: u32, y: u32| y * (n + 1) + x;
        let cell = |x, y| {
            let [a, b, c, d] = [corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1)];
            [[a, b, c], [a, c, d]]
        };
        TriMesh { positions, faces: (0..n).flat_map(|y| (0..n).flat_map(move |x| cell(x, y))).collect() }
    }

    #[test]
    fn a_turned_sheet_has_its_angle_everywhere() {
        let truth = sheet(20);
        for degrees in [0.0_f64, 0.001, 7.0, 30.0] {
            let turn = nalgebra::Rotation3::from_euler_angles(degrees.to_radians(), 0.0, 0.0);
            let positions = truth.positions.iter().map(|&p| (turn * Vector3::from(p)).into()).collect();
            let turned = TriMesh { positions, faces: truth.faces.clone() };
            let there = SurfaceSamples::measure(&turned, &ReferenceSurface::new(&truth), None);
            let back = SurfaceSamples::measure(&truth, &ReferenceSurface::new(&turned), None);
            let s = score(&there, &back, None).expect("samples");
            for found in [s.normal_mean_deg, s.normal_median_deg, s.normal_p95_deg] {
                assert!((found - degrees).abs() < 1e-9, "{found} degrees instead of {degrees}");
            }
        }
        let over = TriMesh { faces: truth.faces.iter().map(|f| [f[0], f[2], f[1]]).collect(), ..truth.clone() };
        let there = SurfaceSamples::measure(&over, &ReferenceSurface::new(&truth), None);
        assert!((there.mean(|s| s.normal_angle_rad.to_degrees()) - 180.0).abs() < 1e-9, "turned over: the other side");
        assert!(there.mean(|s| s.distance_m) < 1e-15, "which no distance shows");
    }

    /// A wave z = A sin(kx) makes angles of atan(A k cos(kx)), though it is hardly away from the sheet; their mean for a
    /// small slope s = A k is 2 s / π.
    #[test]
    fn small_bumps_show_in_the_normals_and_hardly_in_the_distances() {
        let truth = sheet(200);
        let (amplitude, slope) = (150e-6, 0.1_f64);
        let mut waves = truth.clone();
        for p in &mut waves.positions {
            p[2] = amplitude * (p[0] * slope / amplitude).sin();
        }
        let there = SurfaceSamples::measure(&waves, &ReferenceSurface::new(&truth), None);
        let s = score(&there, &there, None).expect("samples");
        let expected = (2.0 * slope / std::f64::consts::PI).to_degrees();
        assert!((s.normal_mean_deg - expected).abs() < 0.1 * expected, "{} is not {expected}", s.normal_mean_deg);
        assert!(s.normal_p95_deg < slope.atan().to_degrees() && s.normal_p95_deg > s.normal_mean_deg, "{s:?}");
        assert!(s.p2s_p95_mm <= 0.15, "{s:?}");
    }

    #[test]
    fn the_wrist_cut_drops_the_wrist_only() {
        let truth = hand();
        let cut = WristCut::from_boundary(&truth, 5e-3).expect("an open wrist");
        // Right rest pose: fingers along −x, the wrist's rim near x = +0.11.
        assert!(cut.normal[0] < -0.9, "the normal points to the fingers: {:?}", cut.normal);
        let model = open_hand(Side::Right).expect("the open hand");
        assert!(model.wrist_loop.iter().all(|&v| !cut.keeps(truth.positions[v as usize])), "the rim is cut");
        assert!(model.tips.iter().all(|&v| cut.keeps(truth.positions[v as usize])), "the tips stay");
        let kept = truth.positions.iter().filter(|&&p| cut.keeps(p)).count();
        assert!(kept * 10 > truth.positions.len() * 9, "{kept} vertices stay");
        let closed = TriMesh { positions: vec![[0.0; 3]; 4], faces: vec![[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]] };
        assert!(WristCut::from_boundary(&closed, 0.0).is_none(), "a closed mesh has no wrist");
    }

    #[test]
    fn joints_are_compared_where_both_are_known() {
        let a = [[0.0; 3]; KEYPOINTS];
        let mut b = a;
        b[0] = [0.0, 0.021, 0.0];
        let mean = joint_mean_mm(&[None, Some(a)], &[Some(a), Some(b)]).expect("a right hand");
        assert!((mean - 1.0).abs() < 1e-12, "21 mm over 21 joints");
        assert_eq!(joint_mean_mm(&[None, Some(a)], &[Some(a), None]), None, "nothing in common");
    }
}
