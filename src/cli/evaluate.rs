//! `thenar evaluate`: how good a reconstruction is.

use super::{CliError, Exit};
use crate::capture::CaptureError;
use crate::gpu::DeviceChoice;
use crate::gpu::Gpu;
use crate::metrics::{Evaluation, RefinedScore, ViewMeans, ViewScore};
use crate::pipeline::FinishedRun;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `thenar evaluate`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct EvaluateArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Folder with the true meshes and joints (`ground_truth` of a synthetic capture).
    #[arg(long, value_name = "DIR")]
    pub ground_truth: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
}

pub(super) fn run(args: &EvaluateArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let run = FinishedRun::read(&args.run)?;
    let capture = run.record.open_capture()?;
    if capture.hash != run.record.capture_hash {
        tracing::warn!("the files of {} have changed since this run", run.record.capture.display());
    }
    // Rendering takes a while: what is missing is said before it.
    if let Some(truth) = &args.ground_truth
        && !truth.join("joints.json").is_file()
    {
        return Err(CliError::Capture(CaptureError::Unusable {
            path: truth.clone(),
            problem: "is no ground truth (there is no joints.json in it)".to_owned(),
            remedy: "Give the folder `ground_truth` of a synthetic capture.".to_owned(),
        }));
    }
    let gpu = Gpu::new(&args.device)?;
    let evaluation = run.evaluate(&gpu, &capture, args.ground_truth.as_deref())?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &evaluation)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", table(&evaluation))?;
    }
    Ok(Exit::Done)
}

/// The evaluation for people: one line a view, then means and surface.
fn table(e: &Evaluation) -> String {
    let number = |x: Option<f64>, digits: usize| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.digits$}"));
    let mut text =
        String::from("view      PSNR dB: mask  union   full  mask∩render    SSIM    IoU  reproj. px  notes\n");
    let mut line = |name: &str, m: &ViewMeans, notes: &str| {
        text += &format!(
            "{name:<10} {:>12} {:>6} {:>6} {:>12} {:>7} {:>6} {:>11}  {notes}\n",
            number(m.psnr_mask, 2),
            number(m.psnr_union, 2),
            number(m.psnr_full, 2),
            number(m.psnr_shared, 2),
            number(m.ssim, 3),
            number(m.iou, 3),
            number(m.reprojection_px_median, 2),
        );
    };
    for view in &e.views {
        let mut notes = Vec::new();
        if view.held_out {
            notes.push("held out");
        }
        if view.mask_trusted == Some(false) {
            notes.push("mask not trusted");
        }
        let verdict = view.refined.as_ref().map(|r| format!("mask {}", r.verdict));
        if let Some(verdict) = verdict.as_deref().filter(|v| *v != "mask trusted") {
            notes.push(verdict);
        }
        line(&view.name, &ViewMeans::over(std::iter::once(view)), &notes.join(", "));
    }
    line("mean", &e.mean, "over fitted views");
    let trusted = |v: &&ViewScore| !v.held_out && v.mask_trusted == Some(true);
    if e.views.iter().any(|v| trusted(&v)) {
        line("trusted", &ViewMeans::over(e.views.iter().filter(trusted)), "over fitted views with a trusted mask");
    }
    if let Some((count, means)) = RefinedScore::means(&e.views) {
        let notes =
            format!("over {count} fitted views, against their masks as used: cleaned, rebuilt, without forearms");
        line("refined", &means, &notes);
    }
    if e.views.iter().any(|v| v.held_out) {
        line("held out", &e.held_out, "");
    }
    for hand in &e.mesh.hands {
        text += &format!(
            "mesh       {}: flipped {:.3} %, spikes {:.3} %, self-intersecting {:.3} %{} of {} triangles\n",
            hand.side,
            hand.flipped_percent,
            hand.spikes_percent,
            hand.self_intersecting_percent,
            hand.in_other_hand_percent.map_or_else(String::new, |share| format!(", in the other hand {share:.3} %")),
            hand.triangles,
        );
    }
    if let Some(s) = &e.surface {
        text += &format!(
            "surface    result→truth mean {:.3} mm, median {:.3}, 95 % {:.3}; truth→result mean {:.3}; F1 {:.3} F2 {:.3}\n\
             normals    result→truth mean {:.2}°, median {:.2}, 95 % {:.2}\n\
             joints     mean {} mm\n",
            s.p2s_mean_mm,
            s.p2s_median_mm,
            s.p2s_p95_mm,
            s.s2p_mean_mm,
            s.f1mm,
            s.f2mm,
            s.normal_mean_deg,
            s.normal_median_deg,
            s.normal_p95_deg,
            number(s.joint_mean_mm, 3)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: EvaluateArgs = parse_only("run").expect("documented");
        assert_eq!((args.ground_truth, args.json), (None, false), "defaults");
        let args: EvaluateArgs = parse_only("run --ground-truth truth --json").expect("documented");
        assert_eq!((args.ground_truth, args.json), (Some("truth".into()), true), "chosen");
        assert_eq!(parse_only::<EvaluateArgs>("").expect_err("no run").exit_code(), 2, "a run is needed");
    }
}
