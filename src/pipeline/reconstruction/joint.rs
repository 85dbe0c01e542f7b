//! The neural stage's second part: HAM's surface and the network are refined together, and the better of before and after
//! is kept; see [`crate::neural`].

use super::{Reconstruction, State};
use crate::neural::JointVerdict;
use crate::pipeline::{Advance, PipelineError, Stage};

/// Name of the phase in reports.
const PHASE: &str = "refine";

/// What became of the refinement, in one line.
pub(super) fn sentence(verdict: &JointVerdict) -> String {
    let (a, m, b) = (&verdict.before, &verdict.moved, &verdict.after);
    let kept = if verdict.keeps() { "kept" } else { "not kept" };
    format!(
        "joint refinement {kept}: colours off by {:.5} before and {:.5} after where they were fitted, {:.5} and {:.5} where not \
         ({:.5} for the moved surface alone); silhouettes {:.5} and {:.5}",
        a.fitted, b.fitted, a.validation, b.validation, m.validation, a.silhouettes, b.silhouettes
    )
}

impl Reconstruction {
    /// What HAM is told when it lends its surface: weight of the shaded picture, width of the smoothing in millimetres.
    pub(super) const fn lent(&self) -> [f64; 2] {
        let settings = &self.options.preset.neural;
        [settings.refine_shaded, settings.refine_smoothing_mm]
    }

    pub(super) fn advance_joint(&mut self) -> Result<Advance, PipelineError> {
        let lent = self.lent();
        let State::Neural { ham, neural } = &mut self.state else { return Ok(Advance::Finished) };
        let Some([epoch, epochs]) = neural.joint_epochs() else {
            let before = ham.surface()?;
            ham.begin_joint(lent, false)?;
            let silhouettes = ham.joint_silhouettes()?;
            neural.begin_joint(&ham.joint_scene(), &ham.joint_views(), before, silhouettes)?;
            return Ok(Advance::Working);
        };
        let Some(step) = neural.prepare_joint() else { return self.judge_joint() };
        ham.joint_step(&step, &mut |recorder| neural.record_joint(recorder, &step))?;
        let Some([first, second]) = neural.joint_stepped()? else { return Ok(Advance::Working) };
        let [shaded, mask, lap, albedo, edge, delta] = ham.joint_terms()?;
        let terms = [
            ("first", first),
            ("second", second),
            ("sfs", shaded),
            ("mask", mask),
            ("lap", lap),
            ("albedo", albedo),
            ("edge", edge),
            ("delta", delta),
        ];
        let terms: Vec<(String, f64)> = terms.into_iter().map(|(name, x)| (name.to_owned(), x)).collect();
        let advance = self.stepped(Stage::Neural, PHASE, [epoch + 1, epochs], first, terms)?;
        self.checkpoint_when_due()?;
        Ok(advance)
    }

    /// The last epoch has ended: keeps what was refined, or takes it back.
    fn judge_joint(&mut self) -> Result<Advance, PipelineError> {
        let State::Neural { ham, neural } = &mut self.state else { return Ok(Advance::Finished) };
        ham.joint_untangle()?;
        let silhouettes = ham.joint_silhouettes()?;
        let refined = ham.surface()?;
        let back = neural.judge_joint(silhouettes, |albedo| ham.put_albedo(albedo), &refined.albedo)?;
        if let Some(before) = back {
            ham.put_surface(&before)?;
        }
        ham.end_joint();
        let verdict = neural.verdict().copied();
        if let Some(verdict) = verdict {
            let (a, m, b) = (&verdict.before, &verdict.moved, &verdict.after);
            let terms = [
                ("kept", f64::from(u8::from(verdict.keeps()))),
                ("fitted_before", a.fitted),
                ("fitted_after", b.fitted),
                ("validation_before", a.validation),
                ("validation_moved", m.validation),
                ("validation_after", b.validation),
                ("silhouettes_before", a.silhouettes),
                ("silhouettes_after", b.silhouettes),
            ];
            let terms = terms.into_iter().map(|(name, x)| (name.to_owned(), x)).collect();
            return self.stepped(Stage::Neural, "judge", [1, 1], b.fitted, terms);
        }
        Ok(Advance::Working)
    }
}

#[cfg(test)]
mod sweep {
    use super::*;
    use crate::export::ply;
    use crate::mesh::TriMesh;
    use crate::metrics::{ReferenceSurface, SurfaceSamples, score};
    use crate::pipeline::finished::wrist_cut;
    use crate::pipeline::reconstruction::neural::sweep::run_to_sweep;

    /// Distance to the truth of a capture that has one: mean, 95 %, millimetres; angle between normals, mean, degrees.
    fn surface(run: &Reconstruction) -> Option<[f64; 3]> {
        let ham = run.ham()?;
        let vertices = ham.vertices().expect("reads");
        let mut samples = SurfaceSamples::default();
        for hand in &ham.mesh().hands {
            let real = ply::read(&run.capture.root.join(format!("ground_truth/mesh_{}.ply", hand.side))).ok()?;
            let real = TriMesh { positions: real.positions, faces: real.faces };
            let positions = vertices.positions[hand.vertices.clone()].iter().map(|p| p.map(f64::from)).collect();
            let ours = TriMesh { positions, faces: hand.faces.to_vec() };
            samples.extend(SurfaceSamples::measure(&ours, &ReferenceSurface::new(&real), wrist_cut(&real).as_ref()));
        }
        let s = score(&samples, &samples, None)?;
        Some([s.p2s_mean_mm, s.p2s_p95_mm, s.normal_mean_deg])
    }

    fn tell(run: &mut Reconstruction, what: &str) {
        let p2s = surface(run);
        let shaded = run.ham().expect("after HAM").vertices().map(|v| run.score(&v)).expect("reads").expect("scores");
        let [fitted, held_out] = run.held_against(&shaded).expect("compares");
        let mean = |held: bool| {
            let all: Vec<f64> = shaded
                .iter()
                .filter(|(_, s)| s.held_out == held)
                .filter_map(|(_, s)| s.shaded.image.psnr_shared)
                .collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        eprintln!(
            "{what} | p2s mean, p95, normals {p2s:.4?} | shaded fitted {:.3} held out {:.3} | {} | {}",
            mean(false),
            mean(true),
            fitted.sentence("fitted").unwrap_or_default(),
            held_out.sentence("held out").unwrap_or_default()
        );
    }

    /// For people who look for settings: a finished run of HAM (`NEURAL_SWEEP_RUN`, a copy, as it is written to), and lists
    /// of settings (`REFINE_SWEEP`: `key=value,key=value; key=value`). The network is trained once and kept in the checkpoint.
    #[test]
    #[ignore = "minutes a setting; prints what it measured"]
    fn refinements_side_by_side() {
        let sweep = std::env::var("REFINE_SWEEP").unwrap_or_default();
        let mut run = run_to_sweep();
        if !matches!(run.state, State::Neural { .. }) {
            run.enter_neural(None).expect("begins");
        }
        while let State::Neural { neural, .. } = &mut run.state {
            if neural.is_done() {
                break;
            }
            neural.step().expect("steps");
        }
        run.write_checkpoint(true).expect("writes");
        let painted = run.neural().expect("painted").state().expect("reads");
        let before = run.ham().expect("after HAM").surface().expect("reads");
        tell(&mut run, "[before]");
        let first = run.options.preset.clone();
        for setting in sweep.split(';') {
            let State::Neural { ham, .. } = std::mem::replace(&mut run.state, State::Done { ham: None, neural: None })
            else {
                return;
            };
            ham.put_surface(&before).expect("writes");
            run.state = State::Done { ham: Some(ham), neural: None };
            run.options.preset = first.clone();
            for pair in setting.split(',').map(str::trim).filter(|p| !p.is_empty()) {
                let (key, value) = pair.split_once('=').expect("key=value");
                run.options.preset.set(&format!("neural.{key}"), value).expect("a setting");
            }
            run.enter_neural(Some(&painted)).expect("begins");
            let began = std::time::Instant::now();
            loop {
                let State::Neural { ham, neural } = &mut run.state else { return };
                if neural.joint_epochs().is_some_and(|[epoch, epochs]| epoch == epochs) {
                    // As refined, whatever will be judged.
                    ham.joint_untangle().expect("reads");
                    tell(&mut run, &format!("[{setting}] {:.0} s", began.elapsed().as_secs_f64()));
                    run.judge_joint().expect("judges");
                    let verdict = run.neural().and_then(|n| n.verdict().copied()).expect("a verdict");
                    eprintln!("    {}", sentence(&verdict));
                    break;
                }
                if let Advance::Stepped(report) = run.advance_joint().expect("steps")
                    && (report.iter == 1 || report.iter % 10 == 0)
                {
                    eprintln!("    {} {:.4?}", report.iter, report.terms);
                }
            }
        }
    }
}
