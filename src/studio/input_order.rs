//! Input in the order in which it came. Where a frame takes long, a whole chord or a click and the way to the next place fall into
//! one. The crate that hands input to egui reads each kind of message by itself: all keys then get the modifiers as they are at
//! the frame's end (a quick Ctrl+K would be a K), and clicks the place where the mouse is by then. Such frames are put right
//! here, from the one stream in which the window tells of everything; others stay as they are.

use bevy::input::keyboard::{Key, KeyboardInput};
use bevy::input::mouse::{MouseButton, MouseButtonInput};
use bevy::prelude::*;
use bevy::window::{RequestRedraw, WindowEvent};
use bevy_egui::helpers::{bevy_to_egui_key, bevy_to_egui_physical_key};
use bevy_egui::input::ModifierKeysState;
use bevy_egui::{EguiClipboard, EguiInput, PrimaryEguiContext};
use egui::{Event as Input, Pos2};

/// The mouse that moves by less has not moved on, points.
const SAME_PLACE: f32 = 3.0;

/// What matters of the stream here.
#[derive(Clone, Debug)]
enum Told {
    Moved,
    Button(bool),
    Key(KeyboardInput),
}

/// Takes note of a key; true for a modifier.
fn note(held: &mut ModifierKeysState, key: &KeyboardInput) -> bool {
    let down = key.state.is_pressed();
    match key.logical_key {
        Key::Shift => held.shift = down,
        Key::Control => held.ctrl = down,
        Key::Alt => held.alt = down,
        Key::Super | Key::Meta => held.win = down,
        _ => return false,
    }
    true
}

/// Puts the frame's input into the order in which it came. After egui has got it, before it looks at it.
pub(super) fn restore(
    mut stream: MessageReader<WindowEvent>,
    mut held: Local<ModifierKeysState>,
    mut later: Local<Vec<Input>>,
    mut clipboard: ResMut<EguiClipboard>,
    mut input: Single<&mut EguiInput, With<PrimaryEguiContext>>,
    mut redraw: MessageWriter<RequestRedraw>,
) {
    let told: Vec<Told> = stream
        .read()
        .filter_map(|event| match event {
            WindowEvent::WindowFocused(focus) if !focus.focused => {
                *held = ModifierKeysState::default();
                None
            }
            WindowEvent::CursorMoved(_) => Some(Told::Moved),
            WindowEvent::MouseButtonInput(MouseButtonInput { button, .. }) => {
                Some(Told::Button(!matches!(button, MouseButton::Other(_))))
            }
            WindowEvent::KeyboardInput(key) => Some(Told::Key(key.clone())),
            _ => None,
        })
        .collect();
    if let Some(events) = ordered(&input.events, &told, &mut held, || clipboard.get_text()) {
        input.events = events;
    }
    if !later.is_empty() {
        let events = std::mem::take(&mut input.events);
        input.events = std::mem::take(&mut *later).into_iter().chain(events).collect();
    }
    *later = after_a_click(&mut input.events);
    if !later.is_empty() {
        redraw.write(RequestRedraw);
    }
}

/// Takes what comes after a button and a move to elsewhere out of the events: egui looks once a frame for what is under the mouse,
/// where it is at the end, so that is for the next frame.
fn after_a_click(events: &mut Vec<Input>) -> Vec<Input> {
    let mut pressed_at = None;
    let goes_on = events.iter().position(|event| match event {
        Input::PointerButton { pos, .. } => {
            pressed_at = Some(*pos);
            false
        }
        Input::PointerMoved(at) => pressed_at.is_some_and(|pressed: Pos2| pressed.distance(*at) > SAME_PLACE),
        _ => false,
    });
    goes_on.map_or_else(Vec::new, |at| events.split_off(at))
}

/// The events in the order of the stream; `None` where they are right as they are, or not of this stream.
fn ordered(
    events: &[Input],
    told: &[Told],
    held: &mut ModifierKeysState,
    paste: impl FnOnce() -> Option<String>,
) -> Option<Vec<Input>> {
    let places: Vec<Pos2> =
        events.iter().filter_map(|e| if let Input::PointerMoved(at) = e { Some(*at) } else { None }).collect();
    let moved = told.iter().filter(|t| matches!(t, Told::Moved)).count();
    let known = told.iter().filter(|t| matches!(t, Told::Button(true))).count();
    let buttons: Vec<&Input> = events.iter().filter(|e| matches!(e, Input::PointerButton { .. })).collect();
    let keys = events.iter().filter(|e| matches!(e, Input::Key { .. })).count();
    let mapped = told.iter().filter(|t| matches!(t, Told::Key(key) if egui_key(key).is_some())).count();
    let is_modifier = |t: &Told| matches!(t, Told::Key(key) if note(&mut ModifierKeysState::default(), key));
    let acts = |t: &Told| !matches!(t, Told::Moved) && !is_modifier(t);
    // A modifier changes while something else is pressed, or the mouse goes on after a button.
    let mixed = told.iter().any(is_modifier) && told.iter().any(acts);
    let first_button = told.iter().position(|t| matches!(t, Told::Button(_)));
    let goes_on = first_button.is_some_and(|at| told[at..].iter().any(|t| matches!(t, Told::Moved)));
    let same_stream = places.len() == moved && buttons.len() == known && keys == mapped;
    if !(mixed || goes_on) || !same_stream {
        for told in told {
            if let Told::Key(key) = told {
                note(held, key);
            }
        }
        return None;
    }
    // Where the mouse was before its first move of the frame is not told: the first place is the nearest there is.
    let mut at = places.first().copied();
    let (mut places, mut buttons) = (places.into_iter(), buttons.into_iter());
    let mut paste = Some(paste);
    let mut out = Vec::new();
    for told in told {
        match told {
            Told::Moved => {
                at = places.next().or(at);
                out.extend(at.map(Input::PointerMoved));
            }
            Told::Button(false) => {}
            Told::Button(true) => {
                if let Some(&Input::PointerButton { pos, button, pressed, .. }) = buttons.next() {
                    let pos = at.unwrap_or(pos);
                    out.push(Input::PointerButton { pos, button, pressed, modifiers: held.to_egui_modifiers() });
                }
            }
            Told::Key(key) => {
                note(held, key);
                out.extend(of_key(key, held, &mut paste));
            }
        }
    }
    // What is of other streams comes after: wheels, fingers, words of an input method, files.
    let of_keys = |e: &Input| matches!(e, Input::Text(_) | Input::Copy | Input::Cut | Input::Paste(_));
    let done =
        |e: &Input| matches!(e, Input::PointerMoved(_) | Input::PointerButton { .. } | Input::Key { .. }) || of_keys(e);
    out.extend(events.iter().filter(|e| !done(e)).cloned());
    Some(out)
}

/// As egui names a key.
fn egui_key(key: &KeyboardInput) -> Option<egui::Key> {
    bevy_to_egui_key(&key.logical_key).or_else(|| bevy_to_egui_physical_key(&key.key_code))
}

/// What a key tells egui.
fn of_key(
    key: &KeyboardInput,
    held: &ModifierKeysState,
    paste: &mut Option<impl FnOnce() -> Option<String>>,
) -> Vec<Input> {
    let mut out = Vec::new();
    let pressed = key.state.is_pressed();
    if pressed && held.text_input_is_allowed() {
        match &key.logical_key {
            Key::Character(text) if !text.chars().any(char::is_control) => out.push(Input::Text(text.to_string())),
            Key::Space => out.push(Input::Text(" ".to_owned())),
            _ => {}
        }
    }
    let Some(egui_key) = egui_key(key) else { return out };
    let physical_key = bevy_to_egui_physical_key(&key.key_code);
    out.push(Input::Key { key: egui_key, physical_key, pressed, repeat: false, modifiers: held.to_egui_modifiers() });
    if pressed && held.to_egui_modifiers().command {
        match egui_key {
            egui::Key::C => out.push(Input::Copy),
            egui::Key::X => out.push(Input::Cut),
            egui::Key::V => out.extend(paste.take().and_then(|paste| paste()).map(Input::Text)),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bevy::input::ButtonState;
    use egui::Modifiers;

    fn key(logical_key: Key, key_code: KeyCode, down: bool) -> Told {
        Told::Key(KeyboardInput {
            key_code,
            logical_key,
            state: if down { ButtonState::Pressed } else { ButtonState::Released },
            text: None,
            repeat: false,
            window: Entity::PLACEHOLDER,
        })
    }

    /// As the crate would tell of the keys: with the modifiers of the frame's end.
    fn told_late(told: &[Told], modifiers: Modifiers) -> Vec<Input> {
        told.iter()
            .filter_map(|t| match t {
                Told::Key(k) => Some(Input::Key {
                    key: egui_key(k)?,
                    physical_key: None,
                    pressed: k.state.is_pressed(),
                    repeat: false,
                    modifiers,
                }),
                _ => None,
            })
            .collect()
    }

    fn chord() -> Vec<Told> {
        let k = || Key::Character("k".into());
        vec![
            key(Key::Control, KeyCode::ControlLeft, true),
            key(k(), KeyCode::KeyK, true),
            key(k(), KeyCode::KeyK, false),
            key(Key::Control, KeyCode::ControlLeft, false),
        ]
    }

    #[test]
    fn a_chord_within_a_frame_keeps_its_modifiers_and_types_nothing() {
        let told = chord();
        let mut events = told_late(&told, Modifiers::NONE);
        events.insert(0, Input::Text("k".to_owned()));
        let mut held = ModifierKeysState::default();
        let found = ordered(&events, &told, &mut held, || None).expect("it is put right");
        let pressed = found.iter().find_map(|e| match e {
            Input::Key { key: egui::Key::K, pressed: true, modifiers, .. } => Some(*modifiers),
            _ => None,
        });
        assert!(pressed.is_some_and(|m| m.command && m.ctrl), "Ctrl and K: {found:?}");
        assert!(!found.iter().any(|e| matches!(e, Input::Text(_))), "no letter: {found:?}");
        assert_eq!(held.to_egui_modifiers(), Modifiers::NONE, "and it is over");
    }

    #[test]
    fn a_chord_over_several_frames_is_left_as_it_is_and_remembered() {
        let told = chord();
        let mut held = ModifierKeysState::default();
        assert!(ordered(&told_late(&told[..1], Modifiers::CTRL), &told[..1], &mut held, || None).is_none(), "Ctrl");
        assert!(held.ctrl, "held");
        assert!(ordered(&told_late(&told[1..2], Modifiers::CTRL), &told[1..2], &mut held, || None).is_none(), "K");
        // K is let go, then Ctrl: K's end still has it.
        let late = told_late(&told[2..], Modifiers::NONE);
        let found = ordered(&late, &told[2..], &mut held, || None).expect("it is put right");
        let kept = |e: &Input| matches!(e, Input::Key { key: egui::Key::K, modifiers, .. } if modifiers.ctrl);
        assert!(found.iter().any(kept), "{found:?}");
    }

    #[test]
    fn a_click_stays_where_it_was_made_when_the_mouse_goes_on() {
        let (here, there) = (egui::pos2(10.0, 20.0), egui::pos2(300.0, 5.0));
        let button = |pressed| Input::PointerButton {
            pos: there,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let wheel = Input::Zoom(1.5);
        let events =
            [Input::PointerMoved(here), Input::PointerMoved(there), button(true), button(false), wheel.clone()];
        let told = [Told::Moved, Told::Button(true), Told::Button(true), Told::Moved];
        let found = ordered(&events, &told, &mut ModifierKeysState::default(), || None).expect("it is put right");
        let at = |e: &Input| if let Input::PointerButton { pos, .. } = e { Some(*pos) } else { None };
        assert_eq!(found.iter().filter_map(at).collect::<Vec<_>>(), [here, here], "both ends of the click");
        assert_eq!(found[found.len() - 2..], [Input::PointerMoved(there), wheel], "then it moves on; others come last");
        let (mut now, whole) = (found.clone(), found.len());
        let later = after_a_click(&mut now);
        assert_eq!((now.len(), later.len()), (whole - 2, 2), "which is for the next frame");
        assert!(after_a_click(&mut now).is_empty() && now.len() == whole - 2, "nothing is taken from a click alone");
        // A plain click is not touched, nor are events that this stream did not tell of.
        let plain = [Told::Moved, Told::Moved, Told::Button(true), Told::Button(true)];
        assert!(ordered(&events, &plain, &mut ModifierKeysState::default(), || None).is_none(), "as it is");
        let other = [Told::Button(true), Told::Moved];
        assert!(ordered(&events, &other, &mut ModifierKeysState::default(), || None).is_none(), "not of this stream");
    }

    #[test]
    fn the_clipboard_is_pasted_by_a_quick_chord() {
        let v = || Key::Character("v".into());
        let told = [
            key(Key::Control, KeyCode::ControlLeft, true),
            key(v(), KeyCode::KeyV, true),
            key(Key::Control, KeyCode::ControlLeft, false),
        ];
        let events = told_late(&told, Modifiers::NONE);
        let found = ordered(&events, &told, &mut ModifierKeysState::default(), || Some("a path".to_owned()))
            .expect("put right");
        assert!(found.contains(&Input::Text("a path".to_owned())), "{found:?}");
    }
}
