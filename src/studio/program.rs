//! The real program behind the window: captures, presets and reconstructions as the command line has them.

use super::backend::{Backend, Engine, ExportRequest, Opened, Parameter, PresetInfo, RunRequest, Started};
use super::opened_run;
use crate::anatomy::Side;
use crate::capture::Capture;
use crate::gpu::{DeviceChoice, Gpu, list_devices};
use crate::hand::{HandModel, open_hand};
use crate::pipeline::{Advance, PictureMode, PosableHand, Reconstruction, RunOptions, Snapshot, Stage, ViewPicture};
use crate::preset::{Preset, SHIPPED};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The program with its choice of device.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Device that reconstructions run on.
    pub device: DeviceChoice,
}

pub(super) fn hand_models() -> anyhow::Result<[Arc<HandModel>; 2]> {
    Ok([Arc::new(open_hand(Side::Left)?), Arc::new(open_hand(Side::Right)?)])
}

impl Backend for Program {
    fn device(&self) -> Result<String, String> {
        let all = list_devices();
        let wanted = match &self.device {
            DeviceChoice::Auto => all.first(),
            DeviceChoice::Index(i) => all.get(*i),
            DeviceChoice::Name(name) => all.iter().find(|d| d.name.to_lowercase().contains(&name.to_lowercase())),
        };
        wanted
            .map(|d| format!("{} ({})", d.name, d.kind))
            .ok_or_else(|| "no graphics device matches; see `thenar devices`".to_owned())
    }

    fn presets(&self) -> Vec<PresetInfo> {
        SHIPPED
            .iter()
            .map(|(name, summary, text)| PresetInfo {
                name: (*name).to_owned(),
                summary: (*summary).to_owned(),
                // The shipped texts are parsed by a test of theirs; a broken one simply lists nothing to change.
                parameters: Preset::parse(name, text).map(|p| parameters(&p)).unwrap_or_default(),
            })
            .collect()
    }

    fn open(&self, path: &Path) -> anyhow::Result<Opened> {
        if path.join("run.ron").exists() {
            return opened_run::open(path, &self.device);
        }
        Ok(Opened { capture: Capture::open(path)?, run: None, engine: None })
    }

    fn start(&self, request: &RunRequest) -> anyhow::Result<Started> {
        let mut preset = Preset::load(&request.preset)?;
        for (key, value) in &request.overrides {
            preset.set(key, &value.to_string())?;
        }
        let run_dir = new_run_dir(&request.capture.root, &request.preset, SystemTime::now());
        let options = RunOptions {
            run_dir: run_dir.clone(),
            preset_name: request.preset.clone(),
            preset,
            until: Stage::Ham,
            hold_out: Vec::new(),
            exclude: request.excluded.clone(),
            seed: request.seed,
        };
        let gpu = Gpu::new(&self.device)?;
        let run = Reconstruction::new(Arc::clone(&request.capture), hand_models()?, options, gpu)?;
        Ok(Started { engine: Box::new(Live { run }), run_dir })
    }
}

/// The numbers of a preset, by their paths; words and switches are left to preset files.
fn parameters(preset: &Preset) -> Vec<Parameter> {
    preset
        .settings()
        .into_iter()
        .filter_map(|(key, value)| {
            let number = value.as_f64()?;
            let group = key.rsplit_once('.').map_or("", |(group, _)| group).replace('.', " · ");
            let help = format!("{key} = {number} in this preset");
            Some(Parameter { group, key, value: number, integer: !value.is_f64(), help })
        })
        .collect()
}

/// `<capture>.thenar/runs/<time>_<preset>` beside the capture; the time is UTC.
fn new_run_dir(capture: &Path, preset: &str, now: SystemTime) -> PathBuf {
    let root = capture.canonicalize().unwrap_or_else(|_| capture.to_owned());
    let mut name = root.file_name().unwrap_or_default().to_owned();
    name.push(".thenar");
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    root.with_file_name(name).join("runs").join(format!("{}_{preset}", stamp(seconds)))
}

/// Seconds since 1970 as `YYYY-MM-DD_hhmmss`, after Howard Hinnant's `civil_from_days`.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}_{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A reconstruction under way.
struct Live {
    run: Reconstruction,
}

impl Engine for Live {
    fn advance(&mut self) -> anyhow::Result<Advance> {
        Ok(self.run.advance()?)
    }

    fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        Ok(self.run.snapshot()?)
    }

    fn render_view(&mut self, snapshot: &Snapshot, view: usize) -> anyhow::Result<ViewPicture> {
        Ok(self.run.render_view(snapshot, view, PictureMode::Shaded)?)
    }

    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>> {
        Ok(self.run.posable()?)
    }

    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<Vec<PathBuf>> {
        Ok(self.run.export(&request.formats, request.dir.clone())?)
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        Ok(self.run.save()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_folders_stand_beside_the_capture_and_say_when() {
        assert_eq!(stamp(0), "1970-01-01_000000", "the epoch");
        assert_eq!(stamp(951_827_696), "2000-02-29_123456", "a leap day");
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(951_827_696);
        let dir = new_run_dir(Path::new("/nowhere/room_1"), "draft", now);
        assert_eq!(dir, Path::new("/nowhere/room_1.thenar/runs/2000-02-29_123456_draft"), "beside, by time");
    }

    #[test]
    fn presets_list_numbers_that_can_be_set() {
        let presets = Program::default().presets();
        assert!(
            presets.iter().any(|p| p.name == "draft") && presets.iter().any(|p| p.name == "standard"),
            "both are there"
        );
        for info in presets {
            assert!(info.parameters.len() > 5, "{} has parameters", info.name);
            let mut preset = Preset::load(&info.name).expect("shipped");
            for p in &info.parameters {
                preset.set(&p.key, &p.value.to_string()).unwrap_or_else(|e| panic!("{}: {e}", p.key));
            }
        }
    }
}
