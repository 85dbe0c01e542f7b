//! `thenar export`: files for other programs, from a run folder.

use super::{CliError, Exit};
use crate::export::Frame as ExportFrame;
use crate::pipeline::{ExportPlan, FinishedRun};
use std::io::Write;
use std::path::PathBuf;

/// A file format to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Binary glTF with the albedo as a texture and as vertex colours.
    Glb,
    /// Wavefront OBJ with a texture.
    Obj,
    /// Binary PLY with normals and vertex colours.
    Ply,
    /// Hand-model parameters.
    Npz,
}

/// The frame of exported meshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Frame {
    /// Y up, metres.
    #[default]
    Gltf,
    /// The capture's own frame, metres.
    Capture,
}

/// The pose of exported meshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pose {
    /// As in the capture.
    #[default]
    Posed,
    /// The rest pose of the hand model.
    Rest,
}

/// The wrist of exported meshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Wrist {
    /// A boundary, as in the hand model.
    #[default]
    Open,
    /// Capped, so that the mesh is watertight.
    Closed,
}

/// Arguments of `thenar export`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ExportArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Formats, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "glb")]
    pub format: Vec<Format>,
    /// Folder to write to (default: RUN/exports, for the rest pose RUN/exports/rest).
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Frame of the positions.
    #[arg(long, value_enum, default_value_t)]
    pub frame: Frame,
    /// Width and height of the texture in pixels.
    #[arg(long, default_value_t = 1024, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub texture: u32,
    /// Pose of the meshes.
    #[arg(long, value_enum, default_value_t)]
    pub pose: Pose,
    /// Whether the wrist is capped.
    #[arg(long, value_enum, default_value_t)]
    pub wrist: Wrist,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Obj => "obj",
            Self::Ply => "ply",
            Self::Npz => "npz",
        }
    }
}

pub(super) fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let run = FinishedRun::read(&args.run)?;
    let plan = ExportPlan {
        formats: args.format.iter().map(|f| f.name().to_owned()).collect(),
        dir: args.output.clone().unwrap_or_else(|| match args.pose {
            Pose::Posed => run.exports_folder(),
            Pose::Rest => run.exports_folder().join("rest"),
        }),
        frame: match args.frame {
            Frame::Gltf => ExportFrame::Gltf,
            Frame::Capture => ExportFrame::Capture,
        },
        texture_px: args.texture,
        rest_pose: args.pose == Pose::Rest,
        close_wrist: args.wrist == Wrist::Closed,
    };
    for file in run.export(&plan)? {
        writeln!(out, "{}", file.display())?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: ExportArgs = parse_only("run").expect("documented");
        let expected = ExportArgs {
            run: "run".into(),
            format: vec![Format::Glb],
            output: None,
            frame: Frame::Gltf,
            texture: 1024,
            pose: Pose::Posed,
            wrist: Wrist::Open,
        };
        assert_eq!(args, expected, "defaults");
        let args: ExportArgs =
            parse_only("run --format glb,obj,ply,npz -o out --frame capture --texture 2048 --pose rest --wrist closed")
                .expect("all");
        assert_eq!(args.format, [Format::Glb, Format::Obj, Format::Ply, Format::Npz], "formats");
        assert_eq!(
            (args.frame, args.texture, args.pose, args.wrist),
            (Frame::Capture, 2048, Pose::Rest, Wrist::Closed),
            "the others"
        );
        for wrong in ["", "run --format fbx", "run --texture 0", "run --frame sideways"] {
            assert_eq!(parse_only::<ExportArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
