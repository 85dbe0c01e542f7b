//! What the vertices' colours measure in the 3D view: how far HAM has moved the surface, how many cameras see it.

use super::Session;
use crate::camera::Camera;
use crate::pipeline::{HandSnapshot, Snapshot, Stage};
use crate::studio::coverage;
use crate::studio::ui_state::Shading;
use std::sync::Arc;

/// Numbers of the vertices as shares of a scale.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heat {
    /// A list a hand, a number a vertex: 0 = the low end of the scale, 1 = the high end.
    pub shares: Vec<Vec<f32>>,
    /// What is measured, for the legend.
    pub title: &'static str,
    /// Unit, with the space before it.
    pub unit: &'static str,
    /// Low and high end of the scale.
    pub ends: [f64; 2],
}

/// What a [`Heat`] is of.
type Key = (u64, Shading, u64);

/// The heat on show, or why there is none, and what it is of.
#[derive(Debug, Default)]
pub(crate) struct HeatOnShow {
    key: Option<Key>,
    found: Option<Result<Arc<Heat>, &'static str>>,
}

impl Session {
    fn heat_key(&self) -> Option<Key> {
        let wanted = matches!(self.mesh_shading(), Shading::Displacement | Shading::Coverage);
        wanted.then(|| (self.shown_revision, self.mesh_shading(), self.cameras_revision + self.capture_revision))
    }

    /// True when the colours have to be measured anew.
    #[must_use]
    pub(crate) fn heat_is_stale(&self) -> bool {
        self.heat.key != self.heat_key()
    }

    /// Measures what the chosen colours stand for.
    pub(crate) fn measure_heat(&mut self) {
        self.heat.key = self.heat_key();
        self.heat.found = self.heat.key.map(|(_, shading, _)| {
            let snapshot = self.visible().ok_or("there is no mesh yet")?;
            if snapshot.hands.is_empty() {
                return Err("there is no mesh yet");
            }
            match shading {
                Shading::Coverage => self.coverage(snapshot),
                _ => self.displacement(snapshot),
            }
            .map(Arc::new)
        });
    }

    /// The colours' meaning, once measured; why they have none, in words.
    #[must_use]
    pub(crate) fn heat(&self) -> Option<&Result<Arc<Heat>, &'static str>> {
        self.heat.found.as_ref()
    }

    /// Along the normals of the mesh that HAM has begun with.
    fn displacement(&self, snapshot: &Snapshot) -> Result<Heat, &'static str> {
        if self.posed.is_some() {
            return Err("it is of the captured pose; leave the pose panel");
        }
        let begin = self.track.frames().iter().position(|f| f.stage >= Stage::Ham);
        let begin = begin.and_then(|i| self.track.unpack(i)).ok_or("it is measured from the begin of HAM")?;
        if snapshot.stage < Stage::Ham {
            return Err("it is measured from the begin of HAM");
        }
        let fits = begin.hands.len() == snapshot.hands.len()
            && begin.hands.iter().zip(&snapshot.hands).all(|(a, b)| a.positions.len() == b.positions.len());
        if !fits {
            return Err("the mesh is another one than at the begin of HAM");
        }
        let millimetres: Vec<Vec<f32>> = begin.hands.iter().zip(&snapshot.hands).map(|(a, b)| moved_mm(a, b)).collect();
        let top = round_top(&millimetres);
        let share = |mm: &f32| (mm / top).clamp(-1.0, 1.0).mul_add(0.5, 0.5);
        Ok(Heat {
            shares: millimetres.iter().map(|list| list.iter().map(share).collect()).collect(),
            title: "moved by HAM: inwards, outwards",
            unit: " mm",
            ends: [-f64::from(top), f64::from(top)],
        })
    }

    fn coverage(&self, snapshot: &Snapshot) -> Result<Heat, &'static str> {
        let taking_part = |v: &usize| !self.excluded.contains(v) && !self.held_out.contains(v);
        let cameras: Vec<&Camera> =
            (0..self.view_count()).filter(taking_part).filter_map(|view| self.camera(view)).collect();
        let counts = coverage::seen_by(&snapshot.hands, &cameras);
        #[expect(clippy::cast_precision_loss, reason = "a few cameras")]
        let all = cameras.len().max(1) as f32;
        Ok(Heat {
            shares: counts.iter().map(|list| list.iter().map(|n| f32::from(*n) / all).collect()).collect(),
            title: "seen by so many fitted views",
            unit: "",
            ends: [0.0, f64::from(all)],
        })
    }
}

/// How far vertices lie outside (+) or inside of where they were, along the normals there, millimetres.
fn moved_mm(from: &HandSnapshot, to: &HandSnapshot) -> Vec<f32> {
    let along =
        |((a, b), n): ((&[f32; 3], &[f32; 3]), &[f32; 3])| (0..3).map(|k| (b[k] - a[k]) * n[k]).sum::<f32>() * 1e3;
    from.positions.iter().zip(&to.positions).zip(&from.normals).map(along).collect()
}

/// The next of 0.5, 1, 2, 5, 10 mm above what all but two in a hundred vertices have moved.
fn round_top(millimetres: &[Vec<f32>]) -> f32 {
    let mut sizes: Vec<f32> = millimetres.iter().flatten().map(|mm| mm.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let most = sizes.get(sizes.len() * 98 / 100).copied().unwrap_or(0.0);
    [0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|top| *top >= most).unwrap_or(20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::studio::testing::{sphere, test_capture};
    use crate::studio::worker::TakenSnapshot;
    use std::time::Duration;

    /// A ball of 4 cm around the origin, as large as asked.
    fn ball(step: u32, stage: Stage, radius_m: f32) -> TakenSnapshot {
        let (unit, faces) = sphere(12, 24);
        #[expect(clippy::cast_possible_truncation, reason = "a test's numbers")]
        let normals: Vec<[f32; 3]> = unit.iter().map(|n| n.map(|x| x as f32)).collect();
        let hand = HandSnapshot {
            side: Side::Right,
            faces: Arc::new(faces),
            positions: normals.iter().map(|n| n.map(|v| v * radius_m)).collect(),
            albedo: vec![[0.5; 3]; normals.len()],
            normals,
        };
        let snapshot =
            Snapshot { stage, phase: "shape".to_owned(), iter: step, step, joints: [None, None], hands: vec![hand] };
        TakenSnapshot { snapshot: Arc::new(snapshot), cost: Duration::ZERO, device_bytes: None }
    }

    fn heat(session: &mut Session) -> Result<Heat, &'static str> {
        assert!(session.heat_is_stale(), "something has changed");
        session.measure_heat();
        assert!(!session.heat_is_stale(), "it is measured");
        session.heat().expect("asked for").as_ref().map(|h| Heat::clone(h)).map_err(|why| *why)
    }

    #[test]
    fn displacement_is_from_the_begin_of_ham_in_millimetres() {
        let mut session = Session::new(Vec::new());
        session.ui.shading = Shading::Displacement;
        assert!(heat(&mut session).is_err_and(|w| w.contains("no mesh")), "nothing is there");
        session.on_snapshot(ball(1, Stage::Fit, 0.030));
        assert!(heat(&mut session).is_err_and(|w| w.contains("begin of HAM")), "too early");
        session.on_snapshot(ball(2, Stage::Ham, 0.040));
        session.on_snapshot(ball(3, Stage::Ham, 0.0415));
        let found = heat(&mut session).expect("a number a vertex");
        assert_eq!((found.ends, found.unit), ([-2.0, 2.0], " mm"), "1.5 mm lie within 2");
        let off = found.shares[0].iter().map(|s| (s - 0.875).abs()).fold(0.0, f32::max);
        assert!(off < 2e-3, "all have moved out by 1.5 of 2 mm: {off}");
        session.ui.shading = Shading::Albedo;
        assert!(session.heat_is_stale(), "another look");
        session.measure_heat();
        assert!(session.heat().is_none(), "has none");
    }

    #[test]
    fn coverage_counts_the_views_that_take_part() {
        let mut session = Session::new(Vec::new());
        session.capture = Some(Arc::new(test_capture(6)));
        session.ui.shading = Shading::Coverage;
        session.on_snapshot(ball(2, Stage::Ham, 0.04));
        let found = heat(&mut session).expect("a number a vertex");
        assert_eq!(found.ends, [0.0, 6.0], "of six");
        let greatest = found.shares[0].iter().copied().fold(0.0, f32::max);
        assert!(greatest > 0.4 && greatest <= 1.0, "the front is seen by several: {greatest}");
        session.excluded.extend([0, 1]);
        session.shown_revision += 1;
        assert_eq!(heat(&mut session).expect("still").ends, [0.0, 4.0], "without those left out");
    }
}
