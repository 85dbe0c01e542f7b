//! `thenar evaluate`: how good a reconstruction is.

use super::{CliError, Exit};
use crate::capture::{CaptureError, frame_folders};
use crate::gpu::DeviceChoice;
use crate::gpu::Gpu;
use crate::metrics::{Evaluation, ImageScore, MotionScore, RefinedScore, ViewMeans, ViewScore};
use crate::neural::{NeuralError, NeuralRenderer};
use crate::pipeline::{EvaluateOptions, FinishedRun, PipelineError, ViewShader, evaluate_motion, read_lpips};
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `thenar evaluate`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct EvaluateArgs {
    /// Run folder; or that of a sequence, or of the runs of its frames, for its joints alone.
    pub run: PathBuf,
    /// Folder with the true meshes and joints (`ground_truth` of a synthetic capture; for a sequence the folder of its frames).
    #[arg(long, value_name = "DIR")]
    pub ground_truth: Option<PathBuf>,
    /// Weights for LPIPS (`AlexNet`), made by `scripts/lpips_weights.py`; without them there is no LPIPS.
    #[arg(long, value_name = "FILE.safetensors")]
    pub lpips: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
}

pub(super) fn run(args: &EvaluateArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if let (false, Some(truth)) = (args.run.join("run.ron").exists(), &args.ground_truth)
        && frame_folders(truth)?.is_some()
    {
        let score = evaluate_motion(&args.run, truth)?;
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &score)?;
            writeln!(out)?;
        } else {
            write!(out, "{}", motion(&score))?;
        }
        return Ok(Exit::Done);
    }
    let run = FinishedRun::read(&args.run)?;
    let capture = run.record.open_capture(&args.run)?;
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
    let lpips = args.lpips.as_deref().map(read_lpips).transpose()?;
    let gpu = Gpu::new(&args.device)?;
    let mut network = neural_renderer(&run, &gpu)?;
    let mut paint = network.as_mut().map(|network| |view: usize| run.render_neural(network, view));
    let options = EvaluateOptions {
        ground_truth: args.ground_truth.as_deref(),
        lpips: lpips.as_ref(),
        neural: paint.as_mut().map(|paint| paint as &mut ViewShader<'_>),
    };
    let evaluation = run.evaluate(&gpu, &capture, options)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &evaluation)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", table(&evaluation))?;
    }
    Ok(Exit::Done)
}

/// The run's network, if it has one that is of its mesh.
pub(super) fn neural_renderer(run: &FinishedRun, gpu: &Gpu) -> Result<Option<NeuralRenderer>, CliError> {
    match run.neural_renderer(gpu) {
        Ok(network) => Ok(Some(network)),
        Err(PipelineError::Unfinished { .. }) => Ok(None),
        Err(PipelineError::Gpu(e) | PipelineError::Neural(NeuralError::Gpu(e))) => Err(e.into()),
        Err(reason) => {
            tracing::warn!("the neural rendering is left out: {reason}");
            Ok(None)
        }
    }
}

fn motion(score: &MotionScore) -> String {
    let MotionScore { frames, hands: [left, right], joint_mean_mm, joint_worst_frame_mm, jitter_mm } = score;
    format!(
        "{frames} frames, {left} left and {right} right hands\njoints     {joint_mean_mm:.3} mm off in the mean, \
         {joint_worst_frame_mm:.3} mm in the worst frame\njitter     {jitter_mm:.3} mm (second difference of the error, root mean square)\n"
    )
}

/// The evaluation for people: one line a view and shading, then means, meshes and surface.
fn table(e: &Evaluation) -> String {
    let columns = Columns::of(e);
    let mut text = columns.head();
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
        text += &columns.lines(&view.name, &ViewMeans::over(std::iter::once(view)), &notes.join(", "));
    }
    text += &columns.lines("mean", &e.mean, "over fitted views");
    let trusted = |v: &&ViewScore| !v.held_out && v.mask_trusted == Some(true);
    if e.views.iter().any(|v| trusted(&v)) {
        let means = ViewMeans::over(e.views.iter().filter(trusted));
        text += &columns.lines("trusted", &means, "over fitted views with a trusted mask");
    }
    if let Some((count, means)) = RefinedScore::means(&e.views) {
        let notes =
            format!("over {count} fitted views, against their masks as used: cleaned, rebuilt, without forearms");
        text += &columns.line("refined", "shaded", &means, None, &notes);
    }
    if e.views.iter().any(|v| v.held_out) {
        text += &columns.lines("held out", &e.held_out, "");
    }
    if columns.legacy {
        text += "(legacy: the released FMHR code's \"PSNR\", 28 log10(1/√mse) over the rendered pixels: not dB, 1.4 times them)\n";
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
        let joints = number(s.joint_mean_mm, 3);
        text += &format!(
            "surface    result→truth mean {:.3} mm, median {:.3}, 95 % {:.3}; truth→result mean {:.3}; F1 {:.3} F2 {:.3}\n\
             normals    result→truth mean {:.2}°, median {:.2}, 95 % {:.2}\n\
             joints     mean {joints} mm\n",
            s.p2s_mean_mm,
            s.p2s_median_mm,
            s.p2s_p95_mm,
            s.s2p_mean_mm,
            s.f1mm,
            s.f2mm,
            s.normal_mean_deg,
            s.normal_median_deg,
            s.normal_p95_deg,
        );
    }
    text
}

fn number(x: Option<f64>, digits: usize) -> String {
    x.map_or_else(|| "-".to_owned(), |x| format!("{x:.digits$}"))
}

/// Which columns the table has beyond those that it always has.
struct Columns {
    neural: bool,
    flip: bool,
    lpips: bool,
    legacy: bool,
}

impl Columns {
    fn of(e: &Evaluation) -> Self {
        let images =
            || e.views.iter().flat_map(|v| std::iter::once(&v.shaded.image).chain(v.neural.as_ref().map(|n| &n.image)));
        Self {
            neural: e.views.iter().any(|v| v.neural.is_some()),
            flip: images().any(|i| i.flip.is_some()),
            lpips: images().any(|i| i.lpips.is_some()),
            legacy: images().any(|i| i.legacy.is_some()),
        }
    }

    fn head(&self) -> String {
        let optional = |there: bool, title: &str| if there { format!(" {title:>6}") } else { String::new() };
        format!(
            "view      {} PSNR dB: mask  union   full  mask∩render    SSIM    IoU{}{}{}{} reproj. px  notes\n",
            if self.neural { "shading " } else { "" },
            optional(self.flip, "FLIP"),
            optional(self.flip, "∩rend."),
            optional(self.lpips, "LPIPS"),
            optional(self.legacy, "legacy"),
        )
    }

    /// A view or a mean: shaded and, below it in the same columns, neural.
    fn lines(&self, name: &str, means: &ViewMeans, notes: &str) -> String {
        let mut text = self.line(name, "shaded", &means.shaded, means.reprojection_px_median, notes);
        if let Some(neural) = &means.neural {
            text += &self.line("", "neural", neural, None, "");
        }
        text
    }

    fn line(&self, name: &str, shading: &str, image: &ImageScore, reprojection_px: Option<f64>, notes: &str) -> String {
        let optional = |there: bool, x: Option<f64>, digits| {
            if there { format!(" {:>6}", number(x, digits)) } else { String::new() }
        };
        let line = format!(
            "{name:<10}{} {:>12} {:>6} {:>6} {:>12} {:>7} {:>6}{}{}{}{} {:>10}  {notes}",
            if self.neural { format!("{shading:<8}") } else { String::new() },
            number(image.psnr_mask, 2),
            number(image.psnr_union, 2),
            number(image.psnr_full, 2),
            number(image.psnr_shared, 2),
            number(image.ssim, 3),
            number(image.iou, 3),
            optional(self.flip, image.flip, 3),
            optional(self.flip, image.flip_shared, 3),
            optional(self.lpips, image.lpips, 3),
            optional(self.legacy, image.legacy, 2),
            number(reprojection_px, 2),
        );
        format!("{}\n", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;
    use crate::metrics::{MeshScore, ShadingScore};

    #[test]
    fn the_documented_forms_parse() {
        let args: EvaluateArgs = parse_only("run").expect("documented");
        assert_eq!((args.ground_truth, args.json), (None, false), "defaults");
        let args: EvaluateArgs = parse_only("run --ground-truth truth --json").expect("documented");
        assert_eq!((args.ground_truth, args.json), (Some("truth".into()), true), "chosen");
        let args: EvaluateArgs = parse_only("run --lpips alex.safetensors").expect("documented");
        assert_eq!(args.lpips, Some("alex.safetensors".into()), "weights of the user's");
        assert_eq!(parse_only::<EvaluateArgs>("").expect_err("no run").exit_code(), 2, "a run is needed");
    }

    fn view(name: &str, held_out: bool, psnr: f64) -> ViewScore {
        let image = ImageScore { psnr_mask: Some(psnr), flip: Some(0.125), ..ImageScore::default() };
        ViewScore {
            name: name.into(),
            held_out,
            shaded: ShadingScore { image, gain: [1.0; 3] },
            reprojection_px_median: Some(7.5),
            ..ViewScore::default()
        }
    }

    #[test]
    fn columns_and_lines_are_there_where_there_is_something_to_say() {
        let rows = vec![view("00", false, 30.5), view("01", true, 20.25)];
        let text = table(&Evaluation::new(rows.clone(), MeshScore::default(), None));
        for absent in ["neural", "shading", "LPIPS", "legacy"] {
            assert!(!text.contains(absent), "nothing of {absent}:\n{text}");
        }
        assert!(text.contains("FLIP") && text.contains("0.125"), "what was measured:\n{text}");
        assert_eq!(text.lines().count(), 5, "head, two views, two means:\n{text}");
        let mut both = rows;
        for view in &mut both {
            let mut neural = view.shaded.clone();
            neural.image.psnr_mask = neural.image.psnr_mask.map(|db| db + 3.0);
            neural.image.lpips = Some(0.0625);
            neural.image.legacy = Some(44.0);
            view.neural = Some(neural);
        }
        let text = table(&Evaluation::new(both, MeshScore::default(), None));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 10, "head, two lines a view and a mean, what legacy is:\n{text}");
        assert!(lines[1].contains("shaded") && lines[1].contains("30.50"), "the first way:\n{text}");
        assert!(
            lines[2].contains("neural") && lines[2].contains("33.50") && lines[2].contains("0.06"),
            "below:\n{text}"
        );
        assert!(lines[9].contains("not dB"), "the legacy number is labelled:\n{text}");
        let width = |line: &str| line.find("30.50").or_else(|| line.find("33.50")).map(|at| line[..at].chars().count());
        assert_eq!(width(lines[1]), width(lines[2]), "in one column:\n{text}");
    }
}
