//! Arguments that set by hand what is otherwise inferred about a capture.

use crate::capture::{Axes, Direction, Format, OpenOptions, PixelCentre, Units};

/// How to read a capture; what is left out is inferred, and `thenar inspect` says why.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Reading the capture (inferred unless given; `thenar inspect` says why)")]
pub struct CaptureArgs {
    /// Format of the calibration: fmhr, interhand, deephandmesh, colmap, transforms, easymocap, opencv, kalibr or scene.
    #[arg(long = "format", value_name = "FORMAT")]
    pub calibration: Option<Format>,
    /// Its unit of length: m, cm, mm, or the metres a unit has.
    #[arg(long, value_name = "m|mm|METRES")]
    pub units: Option<Units>,
    /// Which way its poses go.
    #[arg(long, value_name = "world-to-camera|camera-to-world")]
    pub direction: Option<Direction>,
    /// Its camera axes.
    #[arg(long, value_name = "opencv|opengl")]
    pub axes: Option<Axes>,
    /// Coordinate of the centre of its first pixel.
    #[arg(long, value_name = "0|0.5")]
    pub pixel_centre: Option<PixelCentre>,
    /// Which instant of a sequence: an image's name without ending (`InterHand2.6M`: SEQUENCE/IMAGE).
    #[arg(long, value_name = "NAME")]
    pub frame: Option<String>,
}

impl CaptureArgs {
    /// As the readers take them.
    #[must_use]
    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            format: self.calibration,
            units: self.units,
            direction: self.direction,
            axes: self.axes,
            pixel_centre: self.pixel_centre,
            frame: self.frame.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_values_parse_and_others_are_refused() {
        let args: CaptureArgs = parse_only(
            "--format colmap --units mm --direction camera-to-world --axes opengl --pixel-centre 0.5 --frame 0007",
        )
        .expect("documented");
        let expected = OpenOptions {
            format: Some(Format::Colmap),
            units: Some(Units::MILLIMETRES),
            direction: Some(Direction::CameraToWorld),
            axes: Some(Axes::OpenGl),
            pixel_centre: Some(PixelCentre::Half),
            frame: Some("0007".into()),
        };
        assert_eq!(args.options(), expected, "all of them");
        assert_eq!(parse_only::<CaptureArgs>("--units 0.0254").expect("inches").units, Some(Units(0.0254)), "a number");
        for wrong in ["--units ell", "--units -1", "--format fbx", "--axes y-up", "--direction up", "--pixel-centre 1"]
        {
            assert_eq!(parse_only::<CaptureArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
