//! `thenar export`: files for other programs, from a run folder.

use super::{CliError, Exit, sequence};
use crate::export::{Frame as ExportFrame, TextureFormat as ExportTextureFormat, Up, reflectance};
use crate::mesh::MAX_LEVEL;
use crate::pipeline::{ExportPlan, FinishedRun, SequencePlan};
use crate::texture::FIT_ROUNDS;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file format to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Binary glTF with the albedo as a texture and as vertex colours.
    Glb,
    /// The same with a skeleton of 16 joints in the captured pose.
    Rig,
    /// Wavefront OBJ with a texture.
    Obj,
    /// Binary PLY with normals and vertex colours.
    Ply,
    /// Binary STL with closed wrists, millimetres.
    Stl,
    /// USD as text, with textures beside it.
    Usda,
    /// USD in one package.
    Usdz,
    /// Hand-model parameters for NumPy.
    Npz,
    /// Hand-model parameters as JSON in the conventions of smplx, EasyMocap and interhand.
    Json,
    /// The skeleton at rest and in the captured pose.
    Bvh,
    /// Albedo, coverage, and with --level normal and displacement maps as PNG.
    Maps,
}

/// The frame of exported meshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Frame {
    /// Y up, metres.
    #[default]
    Gltf,
    /// The capture's own frame, metres.
    Capture,
    /// Z up, metres, for files that Blender takes as they are (OBJ, PLY).
    Blender,
    /// Z up, left-handed, centimetres.
    Unreal,
    /// Z up, millimetres, standing on the plate.
    Print,
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

/// Where textures come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TextureFrom {
    /// The capture's photographs, where they see the hands well.
    #[default]
    Photographs,
    /// The albedo of the vertices.
    Vertices,
}

/// How textures of albedo are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TextureFormat {
    /// Without loss.
    #[default]
    Png,
    /// A fifth of that, with loss.
    #[value(alias = "jpeg")]
    Jpg,
}

/// Mean luminance wanted, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reflectance(pub Option<f64>);

impl std::str::FromStr for Reflectance {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if s == "fitted" {
            return Ok(Self(None));
        }
        let value = s.parse().ok().filter(|v| (0.01..=0.95).contains(v));
        value.map(|v| Self(Some(v))).ok_or_else(|| "expected a number from 0.01 to 0.95, or `fitted`".to_owned())
    }
}

impl std::fmt::Display for Reflectance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(v) => write!(f, "{v}"),
            None => f.write_str("fitted"),
        }
    }
}

/// A subdivision level.
pub(super) fn level(s: &str) -> Result<usize, String> {
    s.parse().ok().filter(|l| *l <= MAX_LEVEL).ok_or_else(|| format!("expected a level from 0 to {MAX_LEVEL}"))
}

fn up(s: &str) -> Result<Up, String> {
    match s {
        "cameras" => Ok(Up::Cameras),
        "hand" => Ok(Up::Hand),
        other => other.parse().map(Up::Camera).map_err(|_| "expected cameras, hand, or a camera's number".to_owned()),
    }
}

/// Arguments of `thenar export`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct ExportArgs {
    /// Run folder, or that of a sequence: its hands are written moving (glb, npz, bvh).
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
    /// What is upwards: the mean of the cameras (`cameras`), one camera by its number, or the fingers (`hand`).
    #[arg(long, default_value = "cameras", value_name = "cameras|NUMBER|hand", value_parser = up)]
    pub up: Up,
    /// Width and height of the texture in pixels.
    #[arg(long, default_value_t = 1024, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub texture: u32,
    /// How the albedo's texture is stored; other maps are PNG.
    #[arg(long, value_enum, default_value_t)]
    pub texture_format: TextureFormat,
    /// Where textures come from.
    #[arg(long, value_enum, default_value_t)]
    pub texture_from: TextureFrom,
    /// Rounds in which the blend of the photographs is fitted to them; 0 leaves it as it is.
    #[arg(long, default_value_t = FIT_ROUNDS, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub texture_fit: u32,
    /// Mean luminance of the albedo in linear light, as photographs alone leave it open; `fitted` keeps the run's.
    #[arg(long, default_value_t = Reflectance(Some(reflectance::USUAL)), value_name = "0.01-0.95|fitted")]
    pub reflectance: Reflectance,
    /// Coarser mesh level, each a quarter of the triangles (default: the run's).
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<usize>,
    /// Pose of the meshes.
    #[arg(long, value_enum, default_value_t)]
    pub pose: Pose,
    /// Whether the wrist is capped.
    #[arg(long, value_enum, default_value_t)]
    pub wrist: Wrist,
    /// Frames a second of a sequence.
    #[arg(long, default_value_t = 30.0, value_name = "NUMBER", value_parser = super::args::frame_rate)]
    pub fps: f64,
    /// Carry pose correctives into a sequence's GLB as morph targets.
    #[arg(long)]
    pub bake: bool,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Rig => "rig",
            Self::Obj => "obj",
            Self::Ply => "ply",
            Self::Stl => "stl",
            Self::Usda => "usda",
            Self::Usdz => "usdz",
            Self::Npz => "npz",
            Self::Json => "json",
            Self::Bvh => "bvh",
            Self::Maps => "maps",
        }
    }
}

pub(super) fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let files = if let Some(sequence) = sequence::open(&args.run)? {
        if args.frame != Frame::Gltf || args.pose != Pose::Posed {
            return Err(CliError::Usage("a sequence is written moving, in glTF's frame".to_owned()));
        }
        let files = args.plan(&sequence.exports_folder());
        sequence.export(&SequencePlan { files, fps: args.fps, bake: args.bake })?
    } else {
        let run = FinishedRun::read(&args.run)?;
        run.export(&args.plan(&run.exports_folder()))?
    };
    for file in files {
        writeln!(out, "{}", file.display())?;
    }
    Ok(Exit::Done)
}

impl ExportArgs {
    fn plan(&self, exports: &Path) -> ExportPlan {
        let args = self;
        ExportPlan {
            formats: args.format.iter().map(|f| f.name().to_owned()).collect(),
            dir: args.output.clone().unwrap_or_else(|| match args.pose {
                Pose::Posed => exports.to_owned(),
                Pose::Rest => exports.join("rest"),
            }),
            frame: match args.frame {
                Frame::Gltf => ExportFrame::Gltf,
                Frame::Capture => ExportFrame::Capture,
                Frame::Blender => ExportFrame::Blender,
                Frame::Unreal => ExportFrame::Unreal,
                Frame::Print => ExportFrame::Print,
            },
            up: args.up,
            texture_px: args.texture,
            texture_format: match args.texture_format {
                TextureFormat::Png => ExportTextureFormat::Png,
                TextureFormat::Jpg => ExportTextureFormat::Jpeg,
            },
            texture_fit: args.texture_fit,
            photographs: args.texture_from == TextureFrom::Photographs,
            reflectance: args.reflectance.0,
            level: args.level,
            rest_pose: args.pose == Pose::Rest,
            close_wrist: args.wrist == Wrist::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;
    use clap::ValueEnum;

    #[test]
    fn the_documented_forms_parse() {
        let args: ExportArgs = parse_only("run").expect("documented");
        let expected = ExportArgs {
            run: "run".into(),
            format: vec![Format::Glb],
            output: None,
            frame: Frame::Gltf,
            up: Up::Cameras,
            texture: 1024,
            texture_format: TextureFormat::Png,
            texture_from: TextureFrom::Photographs,
            texture_fit: FIT_ROUNDS,
            reflectance: Reflectance(Some(0.35)),
            level: None,
            pose: Pose::Posed,
            wrist: Wrist::Open,
            fps: 30.0,
            bake: false,
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
        let args: ExportArgs = parse_only(
            "run --format rig,stl,usda,usdz,json,bvh,maps --frame print --up 3 --level 1 --texture-format jpg --texture-from vertices --texture-fit 4 --reflectance fitted",
        )
        .expect("all");
        assert_eq!(
            (args.frame, args.up, args.level, args.texture_from, args.reflectance),
            (Frame::Print, Up::Camera(3), Some(1), TextureFrom::Vertices, Reflectance(None)),
            "the rest"
        );
        assert_eq!((args.texture_format, args.texture_fit), (TextureFormat::Jpg, 4), "textures");
        let names: Vec<&str> = Format::value_variants().iter().map(|f| f.name()).collect();
        assert_eq!(names, crate::pipeline::EXPORT_FORMATS, "every format there is, by its name");
        for wrong in [
            "",
            "run --format fbx",
            "run --texture 0",
            "run --frame sideways",
            "run --up left",
            "run --level 9",
            "run --texture-fit 1000",
            "run --reflectance 2",
        ] {
            assert_eq!(parse_only::<ExportArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
