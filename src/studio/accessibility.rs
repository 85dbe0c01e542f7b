//! The window for screen readers and other assistive technology. egui names its widgets and `bevy_egui` hands the names to the
//! system (AT-SPI, UI Automation, `NSAccessibility`, by AccessKit); this is what is missing between them: names are made only
//! while somebody listens, what a reader does reaches egui, and the window that sleeps is woken by it.

use bevy::a11y::AccessibilityRequested;
use bevy::prelude::*;
use bevy::winit::accessibility::WinitActionRequestHandlers;
use bevy::winit::{EventLoopProxyWrapper, WinitUserEvent};
use bevy_egui::{EguiContext, EguiInput, PrimaryEguiContext};
use std::time::Duration;

/// How soon the window sees that somebody listens.
const UNTIL_HEARD: Duration = Duration::from_secs(1);
/// How soon it sees what a reader does.
const UNTIL_DONE: Duration = Duration::from_millis(40);

/// Wakes the window for a reader: AccessKit calls on threads of its own, of which the window's loop knows nothing. Once, when the
/// window is there.
pub(super) fn listen(
    handlers: Res<WinitActionRequestHandlers>,
    requested: Res<AccessibilityRequested>,
    proxy: Res<EventLoopProxyWrapper>,
    mut listens: Local<bool>,
) {
    if *listens || handlers.is_empty() {
        return;
    }
    *listens = true;
    let queues: Vec<_> = handlers.values().cloned().collect();
    let (requested, proxy) = (requested.clone(), (**proxy).clone());
    let run = move || {
        let mut heard = false;
        loop {
            std::thread::sleep(if heard { UNTIL_DONE } else { UNTIL_HEARD });
            let before = std::mem::replace(&mut heard, requested.get());
            let begins = heard && !before;
            let asked = heard && queues.iter().any(|queue| queue.lock().is_ok_and(|queue| !queue.is_empty()));
            // A loop that is gone has nobody to wake.
            if (begins || asked) && proxy.send_event(WinitUserEvent::WakeUp).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("thenar-reader".to_owned()).spawn(run) {
        tracing::warn!("no thread can be started ({error}): screen readers are answered late");
    }
}

/// Gives egui what readers do, and has it name its widgets while there is a reader. After egui has got its input, before it looks
/// at it.
pub(super) fn hear(
    handlers: Res<WinitActionRequestHandlers>,
    requested: Res<AccessibilityRequested>,
    window: Single<(&mut EguiContext, &mut EguiInput), With<PrimaryEguiContext>>,
) {
    let (mut context, mut input) = window.into_inner();
    let context = context.get_mut();
    if !requested.get() {
        context.disable_accesskit();
        return;
    }
    context.enable_accesskit();
    for queue in handlers.values() {
        let mut queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        input.events.extend(queue.drain(..).map(egui::Event::AccessKitActionRequest));
    }
}
