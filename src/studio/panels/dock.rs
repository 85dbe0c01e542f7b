//! The panels of the window at their places: a tree of `egui_tiles`, made of the layout for each frame, so that the layout alone
//! is remembered. Tabs are dragged to other places there; what came of it is read back. The edges between places are moved
//! here, as `egui_tiles` knows neither the least size of a panel nor a name for what it lets be dragged.

use super::textures::Textures;
use super::theme::{self, accent, faint, ink, rule, sheet, strip};
use super::{capture, compare, findings, inspector, legend, log, loss, overlay, pose, run_options, views};
use crate::studio::docks::{Axis, Layout, Pane, Place};
use crate::studio::session::{Action, Session};
use crate::studio::ui_state::Arrangement;
use egui::{
    Align, Color32, CursorIcon, EventFilter, FontId, Id, Key, Rect, Response, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    Vec2, WidgetInfo, WidgetText, WidgetType, pos2, vec2,
};
use egui_tiles::{
    Behavior, Container, EditAction, Linear, LinearDir, SimplificationOptions, TabState, Tabs, Tile, TileId, Tiles,
    Tree, UiResponse,
};

/// Height of the row of titles above a panel, points.
const TITLES: f32 = 23.0;
/// Width of the line between places.
const GAP: f32 = 1.0;
/// How near to that line the mouse takes hold of it, points.
const GRAB: f32 = 4.0;
/// What the 3D view leaves to its edges: egui takes a press for the nearest thing within five points.
pub(in crate::studio) const EDGE: f32 = GRAB + 5.0;
/// What an arrow key moves an edge by.
const NUDGE: f32 = 16.0;
/// Width of a title's cross.
const CROSS: f32 = 14.0;

/// Least size of a panel, its title not counted: what it shows is not cut.
const fn least_of(pane: Pane, arrangement: Arrangement) -> Vec2 {
    match (pane, arrangement) {
        (Pane::View3d, Arrangement::Compare) => vec2(480.0, 180.0),
        (Pane::View3d, _) => vec2(480.0, 330.0),
        (Pane::Views, _) => vec2(190.0, 120.0),
        (Pane::Compare, _) => vec2(300.0, 150.0),
        (Pane::Curves, _) => vec2(300.0, 90.0),
        (Pane::Log, _) => vec2(200.0, 90.0),
        (Pane::Parameters | Pane::Pose | Pane::Capture | Pane::Findings | Pane::Timeline, _) => vec2(300.0, 80.0),
    }
}

/// Draws the panels and returns the place of the 3D view, if it is seen.
pub(super) fn show(
    root: &mut Ui,
    session: &mut Session,
    textures: &mut Textures,
    actions: &mut Vec<Action>,
) -> Option<Rect> {
    let body = root.available_rect_before_wrap();
    let layout = session.ui.layout().clone();
    if layout.panes().is_empty() {
        root.painter().rect_filled(body, 0.0, sheet());
        let text = "All panels are put away: the menu Window shows them again";
        root.painter().text(body.center(), egui::Align2::CENTER_CENTER, text, FontId::proportional(14.0), faint());
        return None;
    }
    let mut built =
        Built { layout: &layout, arrangement: session.ui.arrangement, tiles: Tiles::default(), lines: vec![] };
    let top = built.add(layout.place(), &mut Vec::new(), body.size());
    let Built { tiles, lines, .. } = built;
    let mut tree = Tree::new("panels", top, tiles);
    let dragged = tree.dragged_id(root).and_then(|id| tree.tiles.get_pane(&id).copied());
    let mut desk = Desk { session, textures, actions, view: None, dropped: false, turned: false, closed: None };
    tree.ui(&mut desk, root);
    let Desk { session, view, dropped, turned, closed, .. } = desk;
    if dropped {
        let place = tree.root().and_then(|top| read(&tree, top, dragged)).and_then(Place::tidied);
        place.into_iter().for_each(|place| session.ui.layout_mut().take(place));
        dragged.into_iter().for_each(|pane| session.ui.bring(pane));
    } else if turned {
        fronts(&tree).into_iter().for_each(|pane| session.ui.bring(pane));
    }
    closed.into_iter().for_each(|pane| session.ui.layout_mut().hide(pane));
    let moved = !dropped && edges(root, session, &tree, &lines);
    session.ui.moving = moved || dragged.is_some();
    view
}

/// A row or column of the tree as it is drawn.
struct LineAt {
    path: Vec<usize>,
    axis: Axis,
    parts: Vec<PartAt>,
}

/// A part of it that is seen.
struct PartAt {
    index: usize,
    id: TileId,
    size: f32,
    least: f32,
    name: &'static str,
}

/// The tree in the making.
struct Built<'a> {
    layout: &'a Layout,
    arrangement: Arrangement,
    tiles: Tiles<Pane>,
    lines: Vec<LineAt>,
}

impl Built<'_> {
    /// Adds a place of this size.
    fn add(&mut self, place: &Place, path: &mut Vec<usize>, size: Vec2) -> TileId {
        match place {
            Place::Pane(pane) => self.tabs(*pane, &[*pane]),
            Place::Tabs { front, of } => self.tabs(*front, of),
            Place::Beside(parts) => self.line(Axis::Beside, parts, path, size),
            Place::Below(parts) => self.line(Axis::Below, parts, path, size),
        }
    }

    /// Tiles are numbered as they come, the same for the same tree in each frame: what is dragged is known by that.
    fn tabs(&mut self, front: Pane, of: &[Pane]) -> TileId {
        let front = self.layout.front((front, of));
        let mut tabs = Tabs::default();
        for pane in of {
            let tile = self.tiles.insert_pane(*pane);
            self.tiles.set_visible(tile, self.layout.has(*pane));
            tabs.add_child(tile);
            if front == Some(*pane) {
                tabs.set_active(tile);
            }
        }
        let id = self.tiles.insert_container(tabs);
        self.tiles.set_visible(id, front.is_some());
        id
    }

    fn line(&mut self, axis: Axis, parts: &[(f32, Place)], path: &mut Vec<usize>, size: Vec2) -> TileId {
        let along = |v: Vec2| if axis == Axis::Beside { v.x } else { v.y };
        let leasts: Vec<_> = parts.iter().map(|(_, part)| self.least(part)).collect();
        let seen: Vec<(f32, f32)> =
            parts.iter().zip(&leasts).filter_map(|((share, _), least)| Some((*share, along((*least)?)))).collect();
        #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
        let (count, gaps) = (parts.len() as f32, seen.len().saturating_sub(1) as f32);
        let room = (along(size) - GAP * gaps).max(1.0);
        let seen_shares: f32 = seen.iter().map(|(share, _)| share).sum();
        let mut sizes = fit(room, &seen).into_iter();
        let mut linear = Linear { dir: direction(axis), ..Linear::default() };
        let mut at = Vec::new();
        for (index, ((share, part), least)) in parts.iter().zip(&leasts).enumerate() {
            let own = least.and_then(|least| Some((along(least), sizes.next()?)));
            let length = own.map_or(0.0, |(_, length)| length);
            path.push(index);
            let id =
                self.add(part, path, if axis == Axis::Beside { vec2(length, size.y) } else { vec2(size.x, length) });
            path.pop();
            linear.children.push(id);
            // What is dropped here gets a share of one: the mean of these.
            let share = if own.is_some() { seen_shares * length / room } else { *share };
            linear.shares.set_share(id, share * count);
            if let Some((least, size)) = own {
                let name = part.panes().into_iter().find(|p| self.layout.shows(*p)).map_or("", Pane::title);
                at.push(PartAt { index, id, size, least, name });
            }
        }
        let id = self.tiles.insert_container(linear);
        self.tiles.set_visible(id, !at.is_empty());
        self.lines.push(LineAt { path: path.clone(), axis, parts: at });
        id
    }

    /// Least size of a place; none of one that is not seen.
    fn least(&self, place: &Place) -> Option<Vec2> {
        let pane = |pane: &Pane| self.layout.has(*pane).then(|| least_of(*pane, self.arrangement) + vec2(0.0, TITLES));
        match place {
            Place::Pane(only) => pane(only),
            Place::Tabs { of, .. } => of.iter().filter_map(pane).reduce(Vec2::max),
            Place::Beside(parts) | Place::Below(parts) => {
                let beside = matches!(place, Place::Beside(_));
                parts.iter().filter_map(|(_, part)| self.least(part)).reduce(|a, b| {
                    if beside { vec2(a.x + GAP + b.x, a.y.max(b.y)) } else { vec2(a.x.max(b.x), a.y + GAP + b.y) }
                })
            }
        }
    }
}

const fn direction(axis: Axis) -> LinearDir {
    match axis {
        Axis::Beside => LinearDir::Horizontal,
        Axis::Below => LinearDir::Vertical,
    }
}

/// Sizes of parts of a line by their shares, none below its least one as long as there is room for all of these.
fn fit(room: f32, parts: &[(f32, f32)]) -> Vec<f32> {
    let least: f32 = parts.iter().map(|(_, least)| least).sum();
    if least >= room {
        return parts.iter().map(|(_, part)| room * part / least.max(1.0)).collect();
    }
    let mut held = vec![false; parts.len()];
    loop {
        let sum = |held_ones: bool, value: fn(&(f32, f32)) -> f32| -> f32 {
            parts.iter().zip(&held).filter(|(_, h)| **h == held_ones).map(|(part, _)| value(part)).sum()
        };
        let (rest, shares) = (room - sum(true, |part| part.1), sum(false, |part| part.0).max(f32::MIN_POSITIVE));
        let size = |(share, least): &(f32, f32), held: bool| if held { *least } else { rest * share / shares };
        let sizes: Vec<f32> = parts.iter().zip(&held).map(|(part, held)| size(part, *held)).collect();
        let Some(i) = (0..parts.len()).find(|&i| !held[i] && sizes[i] < parts[i].1) else { return sizes };
        held[i] = true;
    }
}

/// The places of a tree in which something was dropped. `egui_tiles` may have put it beside a single tab; it goes beside all of
/// them.
fn read(tree: &Tree<Pane>, id: TileId, dropped: Option<Pane>) -> Option<Place> {
    match tree.tiles.get(id)? {
        Tile::Pane(pane) => Some(Place::Pane(*pane)),
        Tile::Container(Container::Linear(linear)) => {
            let axis = if linear.dir == LinearDir::Horizontal { Axis::Beside } else { Axis::Below };
            let part = |child: &TileId| Some((linear.shares[*child], read(tree, *child, dropped)?));
            Some(Place::of_line(axis, linear.children.iter().filter_map(part).collect()))
        }
        Tile::Container(container) => {
            let (mut of, mut front, mut beside) = (Vec::new(), None, None);
            let active = if let Container::Tabs(tabs) = container { tabs.active } else { None };
            for child in container.children() {
                let Some(part) = read(tree, *child, dropped) else { continue };
                let mut panes = part.panes();
                if let (Some((axis, _)), Some(pane)) = (part.line(), dropped)
                    && let Some(at) = panes.iter().position(|p| *p == pane)
                {
                    beside = Some((axis, panes.remove(at), at == 0));
                }
                if active == Some(*child) {
                    front = panes.first().copied();
                }
                of.extend(panes);
            }
            let front = dropped.filter(|pane| of.contains(pane)).or(front).or_else(|| of.first().copied())?;
            let tabs = Place::Tabs { front, of };
            Some(match beside {
                None => tabs,
                Some((axis, pane, true)) => Place::of_line(axis, vec![(1.0, Place::Pane(pane)), (1.0, tabs)]),
                Some((axis, pane, false)) => Place::of_line(axis, vec![(1.0, tabs), (1.0, Place::Pane(pane))]),
            })
        }
    }
}

/// The panels in front, as the tabs have it.
fn fronts(tree: &Tree<Pane>) -> Vec<Pane> {
    let active = |tile: &Tile<Pane>| match tile {
        Tile::Container(Container::Tabs(tabs)) => tabs.active.filter(|id| tree.is_visible(*id)),
        _ => None,
    };
    tree.tiles.tiles().filter_map(active).filter_map(|id| tree.tiles.get_pane(&id).copied()).collect()
}

/// The edges between places: dragged with the mouse, or moved with the arrow keys. True while one is.
fn edges(ui: &Ui, session: &mut Session, tree: &Tree<Pane>, lines: &[LineAt]) -> bool {
    let mut moving = false;
    for line in lines {
        for (i, pair) in line.parts.windows(2).enumerate() {
            let (Some(first), Some(second)) = (tree.tiles.rect(pair[0].id), tree.tiles.rect(pair[1].id)) else {
                continue;
            };
            let name = format!("Edge between {} and {}", pair[0].name, pair[1].name);
            let (response, by) = edge(ui, Id::new(("edge", &line.path, i)), line.axis, (first, second), &name);
            moving |= response.dragged();
            if by != 0.0 {
                let mut sizes: Vec<(usize, f32)> = line.parts.iter().map(|part| (part.index, part.size)).collect();
                let give = |part: &PartAt| (part.size - part.least).max(0.0);
                let by = by.clamp(-give(&pair[0]), give(&pair[1]));
                sizes[i].1 += by;
                sizes[i + 1].1 -= by;
                session.ui.layout_mut().resize(&line.path, &sizes);
                ui.ctx().request_repaint();
            }
        }
    }
    moving
}

/// An edge, and how far it is to be moved, points.
fn edge(ui: &Ui, id: Id, axis: Axis, (first, second): (Rect, Rect), name: &str) -> (Response, f32) {
    let beside = axis == Axis::Beside;
    let (icon, keys) = if beside {
        (CursorIcon::ResizeHorizontal, [Key::ArrowLeft, Key::ArrowRight])
    } else {
        (CursorIcon::ResizeVertical, [Key::ArrowUp, Key::ArrowDown])
    };
    let line = if beside {
        Rect::from_x_y_ranges(first.right() - 1.0..=second.left() + 1.0, first.y_range())
    } else {
        Rect::from_x_y_ranges(first.x_range(), first.bottom() - 1.0..=second.top() + 1.0)
    };
    let across = if beside { vec2(GRAB - 1.0, 0.0) } else { vec2(0.0, GRAB - 1.0) };
    let response = ui.interact(line.expand2(across), id, Sense::click_and_drag()).on_hover_and_drag_cursor(icon);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ResizeHandle, true, name));
    if response.hovered() || response.dragged() || response.has_focus() {
        ui.painter().rect_filled(line, 0.0, accent().gamma_multiply(0.7));
    }
    let mut by = 0.0;
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: beside, vertical_arrows: !beside, ..EventFilter::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
        let [back, on] = keys.map(|key| ui.input(|input| input.num_presses(key)));
        #[expect(clippy::cast_precision_loss, reason = "key presses within a frame")]
        let presses = on as f32 - back as f32;
        by = presses * NUDGE;
    }
    if let (true, Some(at)) = (response.dragged(), response.interact_pointer_pos()) {
        by = if beside { at.x - line.center().x } else { at.y - line.center().y };
    }
    (response, by)
}

/// What the panels are drawn from, and what came of it.
struct Desk<'a> {
    session: &'a mut Session,
    textures: &'a mut Textures,
    actions: &'a mut Vec<Action>,
    /// Place of the 3D view.
    view: Option<Rect>,
    /// A panel was dropped at another place.
    dropped: bool,
    /// Another tab came to the front.
    turned: bool,
    /// The panel whose cross was clicked.
    closed: Option<Pane>,
}

impl Desk<'_> {
    fn contents(&mut self, ui: &mut Ui, pane: Pane) {
        let Self { session, textures, actions, .. } = self;
        match pane {
            Pane::Views => views::show(ui, session, textures, actions),
            Pane::View3d => {
                let rect = ui.max_rect();
                overlay::viewport(ui, rect, session, textures, actions);
                legend::show(ui, rect, session);
                self.view = Some(rect);
            }
            Pane::Compare => compare::show(ui, session, textures, actions),
            Pane::Parameters => {
                run_options::show(ui, session, actions);
                inspector::show(ui, session, actions);
            }
            Pane::Pose => pose::show(ui, session, actions),
            Pane::Capture => capture::show(ui, session, actions),
            Pane::Findings => findings::show(ui, session, textures, actions),
            Pane::Curves => loss::show(ui, session, actions),
            Pane::Log => log::show(ui, session),
            Pane::Timeline => {}
        }
    }
}

impl Behavior<Pane> for Desk<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        let whole = ui.max_rect();
        // The 3D view lies under the panels: what is filled hides it.
        let inner = if *pane == Pane::View3d {
            whole
        } else {
            ui.painter().rect_filled(whole, 0.0, sheet());
            whole.shrink2(theme::PANEL_MARGIN)
        };
        // Known by the panel and not by its place: what is scrolled and opened in it moves with it.
        let builder =
            UiBuilder::new().id(Id::new(("panel", *pane))).max_rect(inner).layout(egui::Layout::top_down(Align::Min));
        let mut child = ui.new_child(builder);
        child.set_clip_rect(inner.expand(2.0).intersect(whole));
        self.contents(&mut child, *pane);
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.title().into()
    }

    fn tab_ui(&mut self, tiles: &mut Tiles<Pane>, ui: &mut Ui, id: Id, tile: TileId, state: &TabState) -> Response {
        let pane = tiles.get_pane(&tile).copied();
        let title = pane.map_or("", Pane::title);
        let colour = if state.active { ink() } else { faint() };
        let galley = ui.painter().layout_no_wrap(title.to_owned(), FontId::proportional(12.5), colour);
        let cross = if state.active { CROSS + 4.0 } else { 0.0 };
        let (_, rect) = ui.allocate_space(vec2(galley.size().x + 16.0 + cross, ui.available_height()));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        name_tab(&response, title, state.active);
        let ui_state = &mut self.session.ui;
        if response.clicked() || response.gained_focus() {
            ui_state.at_pane = pane;
        }
        if ui_state.focus_pane && ui_state.at_pane == pane && state.active {
            ui_state.focus_pane = false;
            response.request_focus();
        }
        if response.middle_clicked() {
            self.closed = pane;
        }
        // What is dragged leaves a gap.
        if ui.is_rect_visible(rect) && !state.is_being_dragged {
            let painter = ui.painter();
            if state.active {
                painter.rect_filled(rect, 0.0, sheet());
                painter.hline(rect.x_range(), rect.top() + 1.0, Stroke::new(2.0, accent()));
            } else if response.hovered() {
                painter.rect_filled(rect, 0.0, theme::hover_fill());
            }
            if response.has_focus() {
                painter.rect_stroke(rect.shrink(2.0), 2.0, Stroke::new(1.5, accent()), StrokeKind::Inside);
            }
            let at = pos2(rect.left() + 8.0, rect.center().y - 0.5 * galley.size().y);
            painter.galley(at, galley, colour);
            if state.active && put_away(ui, rect, id, title) {
                self.closed = pane;
            }
        }
        response.on_hover_text(format!("{title}: drag it to another place; the cross puts it away (menu Window)"))
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        TITLES
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        GAP
    }

    fn tab_bar_color(&self, _: &egui::Visuals) -> Color32 {
        strip()
    }

    fn resize_stroke(&self, _: &egui::Style, _: egui_tiles::ResizeState) -> Stroke {
        Stroke::new(GAP, rule())
    }

    fn drag_preview_stroke(&self, _: &egui::Visuals) -> Stroke {
        Stroke::new(1.5, accent())
    }

    fn drag_preview_color(&self, _: &egui::Visuals) -> Color32 {
        accent().gamma_multiply(0.25)
    }

    /// The layout is tidied where it is read back.
    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions::OFF
    }

    fn is_tile_draggable(&self, tiles: &Tiles<Pane>, tile: TileId) -> bool {
        tiles.get_pane(&tile).is_some()
    }

    fn is_container_resizable(&self, _: &Tiles<Pane>, _: TileId) -> bool {
        false
    }

    fn on_edit(&mut self, edit: EditAction) {
        match edit {
            EditAction::TileDropped => self.dropped = true,
            EditAction::TabSelected => self.turned = true,
            EditAction::TileResized | EditAction::TileDragged => {}
        }
    }
}

/// What a screen reader says of a title.
fn name_tab(response: &Response, title: &str, active: bool) {
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, active, title));
    response.ctx.accesskit_node_builder(response.id, |node| {
        node.set_role(egui::accesskit::Role::Tab);
        node.set_selected(active);
    });
}

/// The cross that puts a panel away; true when it was clicked.
fn put_away(ui: &Ui, tab: Rect, id: Id, title: &str) -> bool {
    let rect = Rect::from_center_size(pos2(tab.right() - 0.5 * CROSS - 5.0, tab.center().y), Vec2::splat(CROSS));
    let response = ui.interact(rect, id.with("put away"), Sense::click());
    let name = format!("Put {title} away");
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, 3.0, theme::hover_fill());
    }
    let colour = if response.hovered() || response.has_focus() { ink() } else { faint() };
    let (arm, stroke) = (rect.shrink(4.0), Stroke::new(1.2, colour));
    ui.painter().line_segment([arm.left_top(), arm.right_bottom()], stroke);
    ui.painter().line_segment([arm.right_top(), arm.left_bottom()], stroke);
    let clicked = response.clicked();
    response.on_hover_text(name);
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_their_shares_but_never_less_than_their_least_size() {
        let sizes = fit(1000.0, &[(0.2, 50.0), (0.8, 50.0)]);
        assert_eq!(sizes, [200.0, 800.0], "by their shares");
        let sizes = fit(1000.0, &[(0.1, 172.0), (0.6, 480.0), (0.3, 300.0)]);
        assert_eq!(sizes[0], 172.0, "held at its least");
        assert!(
            (sizes[1] - 528.0).abs() < 1e-2 && (sizes[2] - 300.0).abs() < 1e-2,
            "the rest, held in turn: {sizes:?}"
        );
        let sizes = fit(500.0, &[(0.1, 172.0), (0.9, 828.0)]);
        assert_eq!(sizes, [86.0, 414.0], "without room for all, as their least sizes are to each other");
        assert!(fit(100.0, &[]).is_empty(), "nothing of nothing");
    }
}
