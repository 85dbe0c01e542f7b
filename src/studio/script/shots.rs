//! Pictures of the window, and how fast it draws.

use super::{Outcome, Script};
use crate::studio::frame::FrameTimes;
use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::RequestRedraw;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Frames drawn before a screenshot, so that layout and textures have settled.
const SETTLE_FRAMES: u32 = 4;

/// Saves the window; the file is complete as soon as it is there.
pub(super) fn screenshot(
    commands: &mut Commands,
    script: &mut Script,
    path: &Path,
    moving: bool,
    redraw: &mut MessageWriter<RequestRedraw>,
) -> Outcome {
    redraw.write(RequestRedraw);
    if let Some(state) = &script.saving {
        return match state.load(Ordering::Acquire) {
            0 => Outcome::Pending,
            1 => {
                script.saving = None;
                Outcome::Done
            }
            _ => Outcome::Failed("the picture could not be written".to_owned()),
        };
    }
    if script.frames <= SETTLE_FRAMES || moving {
        return Outcome::Pending;
    }
    let state = Arc::new(AtomicU8::new(0));
    script.saving = Some(Arc::clone(&state));
    let path = path.to_owned();
    commands.spawn(Screenshot::primary_window()).observe(move |captured: On<ScreenshotCaptured>| {
        let image = captured.image.clone().try_into_dynamic().map(|i| i.to_rgb8());
        let begun = path.with_extension("part");
        let saved = image.is_ok_and(|i| i.save_with_format(&begun, image::ImageFormat::Png).is_ok())
            && std::fs::rename(&begun, &path).is_ok();
        state.store(if saved { 1 } else { 2 }, Ordering::Release);
    });
    Outcome::Pending
}

/// `measure SECONDS [p95 MS]`: draws without pause, as while somebody orbits, and logs the times between frames.
pub(super) fn measure(
    script: &mut Script,
    times: &mut FrameTimes,
    waited: Duration,
    (duration, p95_ms): (Duration, Option<f64>),
    redraw: &mut MessageWriter<RequestRedraw>,
) -> Outcome {
    redraw.write(RequestRedraw);
    if script.frames == 1 {
        times.seconds.clear();
    }
    if waited < duration {
        return Outcome::Pending;
    }
    let mut ms: Vec<f64> = times.seconds.iter().map(|s| s * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    if ms.is_empty() {
        return Outcome::Failed("no frame was drawn".to_owned());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred frames")]
    let mean = ms.iter().sum::<f64>() / ms.len() as f64;
    let at = |percent: usize| ms[(ms.len() * percent / 100).min(ms.len() - 1)];
    info!(
        "{} frames: mean {mean:.1} ms, median {:.1}, p95 {:.1}, max {:.1}",
        ms.len(),
        at(50),
        at(95),
        ms[ms.len() - 1]
    );
    super::within("p95 of the frames", at(95), p95_ms)
}
