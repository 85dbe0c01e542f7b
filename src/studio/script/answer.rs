//! How soon the window answers: a key is pressed at a moment of its own choosing, and the time runs until the frame that shows
//! what came of it is drawn and handed to the display; or, for the pause, until the worker stands still.
//!
//! The keys enter where winit's do, after the window was woken as winit wakes it; only the way from the keyboard to winit is
//! not in the figure.

use super::{Outcome, Script, done_when};
use crate::studio::session::{RunState, Session};
use crate::studio::ui_state::Shading;
use bevy::input::ButtonState;
use bevy::input::keyboard::{Key, KeyboardInput};
use bevy::prelude::*;
use bevy::render::extract_resource::{ExtractResource, ExtractResourcePlugin};
use bevy::render::render_resource::PollType;
use bevy::render::renderer::RenderDevice;
use bevy::render::{Render, RenderApp, RenderSystems};
use bevy::window::PrimaryWindow;
use bevy::winit::{EventLoopProxyWrapper, WinitUserEvent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Frames of which it is known when they were drawn.
const FRAMES: usize = 32;

/// A key on its way, with when it was pressed.
type Pressed = Arc<Mutex<Option<(KeyCode, Instant)>>>;
/// Frames that were drawn, with when.
type Drawn = Arc<Mutex<Vec<(u64, Instant)>>>;

/// Presses keys and takes the time.
#[derive(Resource, Clone, Default, ExtractResource)]
pub(super) struct Stopwatch {
    /// Number of the frame that is being made.
    frame: u64,
    key: Pressed,
    drawn: Drawn,
    /// The key that the window has got, when it was pressed, and the frame that shows what came of it.
    got: Option<(KeyCode, Instant, Option<u64>)>,
    waiting: bool,
    /// When the frame that took it up was made.
    asked: Option<Instant>,
    /// What was measured so far.
    seconds: Vec<f64>,
}

/// The stopwatch's systems.
pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Stopwatch>()
        .add_plugins(ExtractResourcePlugin::<Stopwatch>::default())
        .add_systems(First, press)
        .add_systems(Last, see);
    if let Some(render) = app.get_sub_app_mut(RenderApp) {
        render.add_systems(Render, note_drawn.in_set(RenderSystems::Cleanup));
    }
}

/// The frame before has been handed over: notes when it was drawn.
fn note_drawn(watch: Option<Res<Stopwatch>>, device: Res<RenderDevice>) {
    let Some(watch) = watch.filter(|w| w.waiting) else { return };
    // A software driver is not done when the frame has been handed over.
    if let Err(error) = device.poll(PollType::wait_indefinitely()) {
        warn!("the display's device does not answer: {error}");
    }
    let mut drawn = watch.drawn.lock().unwrap_or_else(PoisonError::into_inner);
    if drawn.len() >= FRAMES {
        drawn.remove(0);
    }
    drawn.push((watch.frame, Instant::now()));
}

/// Hands a key that was pressed to the window, pressed and let go.
fn press(
    mut watch: ResMut<Stopwatch>,
    window: Single<Entity, With<PrimaryWindow>>,
    mut keys: MessageWriter<KeyboardInput>,
) {
    watch.frame += 1;
    let pressed = watch.key.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((key_code, at)) = pressed else { return };
    watch.got = Some((key_code, at, None));
    let letter = match key_code {
        KeyCode::Digit1 => "1",
        KeyCode::Digit2 => "2",
        _ => "t",
    };
    for state in [ButtonState::Pressed, ButtonState::Released] {
        keys.write(KeyboardInput {
            key_code,
            logical_key: Key::Character(letter.into()),
            state,
            text: None,
            repeat: false,
            window: *window,
        });
    }
}

/// The state that the frame shows is what the key asks for.
fn see(mut watch: ResMut<Stopwatch>, session: Res<Session>) {
    let frame = watch.frame;
    let Some((key, _, shown @ None)) = &mut watch.got else { return };
    let wanted = match key {
        KeyCode::Digit1 => session.ui.shading == Shading::Albedo,
        KeyCode::Digit2 => session.ui.shading == Shading::Clay,
        _ => session.state == RunState::Paused,
    };
    if wanted {
        *shown = Some(frame);
        watch.asked = Some(Instant::now());
    }
}

impl Stopwatch {
    /// Has a key pressed a little later, on a thread that knows nothing of frames.
    fn press_later(&mut self, key: KeyCode, proxy: &EventLoopProxyWrapper) -> Result<(), String> {
        // Never in step with the frames.
        let delay = Duration::from_millis(40 + (self.seconds.len() as u64 * 97) % 240);
        let (slot, proxy) = (Arc::clone(&self.key), (**proxy).clone());
        let run = move || {
            std::thread::sleep(delay);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, Instant::now()));
            // A loop that is gone answers no more keys.
            let _ = proxy.send_event(WinitUserEvent::WakeUp);
        };
        self.waiting = true;
        (self.got, self.asked) = (None, None);
        std::thread::Builder::new().name("thenar-finger".to_owned()).spawn(run).map_err(|e| e.to_string())?;
        Ok(())
    }

    /// When the frame that shows what came of the key was drawn, seconds after the key.
    fn answered(&self) -> Option<f64> {
        let (_, pressed, Some(frame)) = self.got? else { return None };
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.iter().find(|(f, _)| *f >= frame).map(|(_, at)| at.duration_since(pressed).as_secs_f64())
    }

    fn rest(&mut self) {
        (self.waiting, self.got, self.asked) = (false, None, None);
        self.seconds.clear();
    }
}

/// `answer COUNT [within MS]`: presses 1 and 2 in turn, so many times, and takes the time until the other shading is drawn.
pub(super) fn answer(
    script: &mut Script,
    watch: &mut Stopwatch,
    session: &Session,
    proxy: &EventLoopProxyWrapper,
    (count, within_ms): (usize, Option<f64>),
) -> Outcome {
    if script.frames == 1 {
        watch.rest();
    }
    if let Some(seconds) = watch.answered() {
        watch.seconds.push(seconds);
        watch.waiting = false;
    }
    if watch.seconds.len() < count {
        if !watch.waiting {
            let key = if session.ui.shading == Shading::Clay { KeyCode::Digit1 } else { KeyCode::Digit2 };
            if let Err(why) = watch.press_later(key, proxy) {
                return Outcome::Failed(why);
            }
        }
        return Outcome::Pending;
    }
    let mut ms: Vec<f64> = watch.seconds.iter().map(|s| s * 1e3).collect();
    watch.rest();
    ms.sort_by(f64::total_cmp);
    let (median, slowest) = (ms[ms.len() / 2], ms[ms.len() - 1]);
    info!("{} keys: answered after {median:.1} ms (median), the slowest {slowest:.1}", ms.len());
    super::within("the slowest answer", slowest, within_ms)
}

/// `pause-within MS`: presses T and takes the time until the worker stands still.
pub(super) fn pause(
    script: &mut Script,
    watch: &mut Stopwatch,
    session: &Session,
    proxy: &EventLoopProxyWrapper,
    within_ms: f64,
) -> Outcome {
    if script.frames == 1 {
        watch.rest();
        if session.state != RunState::Running {
            return Outcome::Failed("nothing is running that could be paused".to_owned());
        }
        return watch.press_later(KeyCode::KeyT, proxy).map_or_else(Outcome::Failed, |()| Outcome::Pending);
    }
    if !session.is_active() {
        return Outcome::Failed("the run has ended before it was paused".to_owned());
    }
    let (Some((_, pressed, _)), Some(held)) = (watch.got, session.held()) else { return done_when(false) };
    let ms = held.saturating_duration_since(pressed).as_secs_f64() * 1e3;
    let asked = watch.asked.map_or(f64::NAN, |at| at.duration_since(pressed).as_secs_f64() * 1e3);
    info!("paused {ms:.1} ms after the key, of which the window took {asked:.1}");
    watch.rest();
    super::within("the pause", ms, Some(within_ms))
}
