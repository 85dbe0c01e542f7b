//! `thenar repose`: the reconstructed hands in other poses, as an animated file or a sequence of meshes.

use super::args;
use super::{CliError, Exit, Interrupt};
use crate::anatomy::Side;
use crate::capture::PoseSequence;
use crate::hand::Pose;
use crate::pipeline::{FinishedRun, PosableHand, ReposePlan, ReposedHand, Reposing, repose};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file format of reposed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReposeFormat {
    /// One animated binary glTF: skinned meshes, 16 joints a hand, key frames.
    Glb,
    /// A Wavefront OBJ a frame, with one texture.
    Obj,
    /// A binary PLY a frame, with vertex colours.
    Ply,
}

/// Which hand a pose file without `side` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReposeSide {
    /// The left hand.
    Left,
    /// The right hand.
    Right,
}

/// Arguments of `thenar repose`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct ReposeArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Poses (NPZ: `hand_pose` N×45, `global_orient` N×3, optionally `transl` N×3 and `side`); once a hand.
    #[arg(long, value_name = "FILE.npz", required = true)]
    pub pose: Vec<PathBuf>,
    /// The hand of a pose file that does not say which.
    #[arg(long, value_enum)]
    pub side: Option<ReposeSide>,
    /// Folder to write; new or empty.
    #[arg(short, long = "output", value_name = "OUT")]
    pub output: PathBuf,
    /// Formats, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "glb")]
    pub format: Vec<ReposeFormat>,
    /// Carry pose correctives into the GLB as morph targets (meshes always have them).
    #[arg(long)]
    pub bake: bool,
    /// Key frames a second in the GLB.
    #[arg(long, default_value_t = 30.0, value_name = "NUMBER", value_parser = args::frame_rate)]
    pub fps: f64,
    /// Coarser mesh level, each a quarter of the triangles (default: the run's).
    #[arg(long, value_name = "LEVEL", value_parser = super::export::level)]
    pub level: Option<usize>,
    /// Width and height of the texture in pixels.
    #[arg(long, default_value_t = 1024, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub texture: u32,
}

impl ReposeFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Obj => "obj",
            Self::Ply => "ply",
        }
    }
}

impl From<ReposeSide> for Side {
    fn from(side: ReposeSide) -> Self {
        match side {
            ReposeSide::Left => Self::Left,
            ReposeSide::Right => Self::Right,
        }
    }
}

pub(super) fn run(args: &ReposeArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    // Read first: a pose file that cannot be used is told before the run is opened.
    let sequences = args.pose.iter().map(|p| PoseSequence::read(p)).collect::<Result<Vec<_>, _>>()?;
    let run = FinishedRun::read(&args.run)?;
    let hands = assign(run.posable()?, &sequences, args.side.map(Side::from), &args.run)?;
    for rest in hands.iter().map(|h| &h.hand.rest).filter(|r| r.damped > 0) {
        let (side, damped) = (rest.side(), rest.damped);
        tracing::warn!("{side} hand: the captured pose folds {damped} vertices flat; their detail is damped");
    }
    let interrupt = Interrupt::install_saying("stopping; nothing is written")?;
    let plan = plan(args, &run.record.preset_name);
    let mut said = std::time::Instant::now();
    let mut go_on = |done: usize, all: usize| {
        if done > 0 && said.elapsed().as_secs() >= 2 {
            said = std::time::Instant::now();
            say(&format!("{done} of {all} files"));
        }
        !interrupt.requested()
    };
    match repose(&hands, &plan, &mut go_on)? {
        Reposing::Interrupted => Ok(Exit::Interrupted),
        Reposing::Written(files, losses) => {
            for (hand, loss) in hands.iter().zip(&losses) {
                say(&format!(
                    "{} hand in hands.glb: at key frames {:.3} mm off at most, {:.4} mm in the mean (four influences \
                     alone: {:.3} mm at most; {} morph targets)",
                    hand.hand.rest.side(),
                    loss.most_mm,
                    loss.mean_mm,
                    loss.influences_mm,
                    loss.targets
                ));
            }
            for file in files {
                writeln!(out, "{}", file.display())?;
            }
            Ok(Exit::Done)
        }
    }
}

/// A line of progress or of what was found, on stderr.
fn say(words: &str) {
    // Nobody may be listening; the files count all the same.
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn plan(args: &ReposeArgs, preset: &str) -> ReposePlan {
    let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let poses: Vec<String> = args.pose.iter().map(|p| name(p)).collect();
    ReposePlan {
        formats: args.format.iter().map(|f| f.name().to_owned()).collect(),
        dir: args.output.clone(),
        texture_px: args.texture,
        fps: args.fps,
        bake: args.bake,
        level: args.level,
        notes: vec![("preset".to_owned(), preset.to_owned()), ("poses".to_owned(), poses.join(", "))],
    }
}

/// Gives each sequence its hand: the one its file names, else `--side`, else the run's only one.
fn assign(
    hands: Vec<PosableHand>,
    sequences: &[PoseSequence],
    default: Option<Side>,
    run: &Path,
) -> Result<Vec<ReposedHand>, CliError> {
    let there: Vec<Side> = hands.iter().map(|h| h.rest.side()).collect();
    let mut taken: [Option<&PoseSequence>; 2] = [None, None];
    for sequence in sequences {
        let only = if let [only] = there[..] { Some(only) } else { None };
        let path = sequence.path.display();
        let side = sequence.side.or(default).or(only).ok_or_else(|| {
            CliError::Usage(format!(
                "{path} does not say which hand it is for, and the run has both; add --side left or --side right"
            ))
        })?;
        if !there.contains(&side) {
            let problem = format!("has no {side} hand, which {path} is for");
            return Err(crate::pipeline::PipelineError::Unfinished { path: run.display().to_string(), problem }.into());
        }
        if taken[side.index()].replace(sequence).is_some() {
            return Err(CliError::Usage(format!("{path} is a second pose file for the {side} hand")));
        }
    }
    Ok(hands
        .into_iter()
        .filter_map(|hand| {
            let sequence = taken[hand.rest.side().index()]?;
            let mean = if sequence.flat_hand_mean { [0.0; 45] } else { hand.rest.model().hands_mean };
            let poses = sequence
                .frames
                .iter()
                .map(|f| Pose {
                    global_orient: f.global_orient,
                    hand_pose: std::array::from_fn(|i| f.hand_pose[i] + mean[i]),
                    transl: f.transl,
                })
                .collect();
            Some(ReposedHand { hand, poses })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: ReposeArgs = parse_only("run --pose walk.npz -o out").expect("documented");
        let expected = ReposeArgs {
            run: "run".into(),
            pose: vec!["walk.npz".into()],
            side: None,
            output: "out".into(),
            format: vec![ReposeFormat::Glb],
            bake: false,
            fps: 30.0,
            level: None,
            texture: 1024,
        };
        assert_eq!(args, expected, "defaults");
        let args: ReposeArgs = parse_only(
            "run --pose l.npz --pose r.npz --side left -o out --format glb,obj,ply --bake --fps 24 --level 2 --texture 512",
        )
        .expect("all");
        assert_eq!((args.pose.len(), args.side), (2, Some(ReposeSide::Left)), "a file a hand");
        assert_eq!(args.format, [ReposeFormat::Glb, ReposeFormat::Obj, ReposeFormat::Ply], "formats");
        assert_eq!((args.bake, args.fps, args.level, args.texture), (true, 24.0, Some(2), 512), "the others");
        for wrong in [
            "run -o out",
            "run --pose p.npz",
            "run --pose p.npz -o out --format npz",
            "run --pose p.npz -o out --fps 0",
            "run --pose p.npz -o out --fps nan",
            "run --pose p.npz -o out --level 5",
            "run --pose p.npz -o out --side both",
        ] {
            assert_eq!(parse_only::<ReposeArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
