//! Pictures as egui textures, uploaded when they change and dropped when they are no longer shown.

use crate::studio::picture::{self, Picture};
use crate::studio::session::{Session, Sought};
use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use std::sync::Arc;

/// The textures of the panels.
#[derive(Default)]
pub(crate) struct Textures {
    revision: u64,
    /// One small picture a view.
    pub thumbnails: Vec<TextureHandle>,
    photo: Option<(usize, TextureHandle)>,
    render: Option<(Sought, TextureHandle)>,
    difference: Option<(Sought, TextureHandle)>,
    network: Option<(u64, TextureHandle)>,
}

impl std::fmt::Debug for Textures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Textures({} thumbnails)", self.thumbnails.len())
    }
}

fn size(width: u32, height: u32) -> [usize; 2] {
    [width as usize, height as usize]
}

fn upload_rgb(ctx: &Context, name: &str, image: &image::RgbImage) -> TextureHandle {
    let image = ColorImage::from_rgb(size(image.width(), image.height()), image.as_raw());
    ctx.load_texture(name, image, TextureOptions::LINEAR)
}

impl Textures {
    /// Rebuilds the thumbnails after another capture was opened.
    pub(crate) fn follow(&mut self, ctx: &Context, session: &Session) {
        if self.revision != session.capture_revision {
            *self = Self { revision: session.capture_revision, ..Self::default() };
            self.thumbnails = session
                .thumbnails
                .iter()
                .enumerate()
                .map(|(i, t)| upload_rgb(ctx, &format!("thumbnail {i}"), t))
                .collect();
        }
    }

    /// The photograph of the selected view at full size.
    pub(crate) fn photo(&mut self, ctx: &Context, session: &Session) -> Option<TextureHandle> {
        let view = session.selected;
        if self.photo.as_ref().is_none_or(|(v, _)| *v != view) {
            let image = &session.capture.as_ref()?.views.get(view)?.image;
            self.photo = Some((view, upload_rgb(ctx, "photo", image)));
        }
        self.photo.as_ref().map(|(_, t)| t.clone())
    }

    /// A rendered view, transparent where no hand is.
    pub(crate) fn render(&mut self, ctx: &Context, picture: &Arc<Picture>) -> TextureHandle {
        match &self.render {
            Some((key, texture)) if *key == picture.key() => texture.clone(),
            _ => {
                let image = ColorImage::from_rgba_unmultiplied(size(picture.width, picture.height), &picture.rgba);
                let texture = ctx.load_texture("render", image, TextureOptions::LINEAR);
                self.render = Some((picture.key(), texture.clone()));
                texture
            }
        }
    }

    /// The network's picture in the 3D view.
    pub(crate) fn network(&mut self, ctx: &Context, session: &Session) -> Option<TextureHandle> {
        let frame = session.network_frame()?;
        let revision = session.network.revision;
        if self.network.as_ref().is_none_or(|(r, _)| *r != revision) {
            let image = ColorImage::from_rgba_unmultiplied(size(frame.width, frame.height), &frame.rgba);
            self.network = Some((revision, ctx.load_texture("network", image, TextureOptions::LINEAR)));
        }
        self.network.as_ref().map(|(_, texture)| texture.clone())
    }

    /// The heat map of the difference.
    pub(crate) fn difference(
        &mut self,
        ctx: &Context,
        session: &Session,
        picture: &Arc<Picture>,
    ) -> Option<TextureHandle> {
        let current = |d: &&(Sought, TextureHandle)| d.0 == picture.key();
        if let Some((_, texture)) = self.difference.as_ref().filter(current) {
            return Some(texture.clone());
        }
        let photo = &session.capture.as_ref()?.views.get(picture.view)?.image;
        if photo.dimensions() != (picture.width, picture.height) {
            return None;
        }
        let rgba = picture::difference(picture, photo);
        let image = ColorImage::from_rgba_unmultiplied(size(picture.width, picture.height), &rgba);
        let texture = ctx.load_texture("difference", image, TextureOptions::LINEAR);
        self.difference = Some((picture.key(), texture.clone()));
        Some(texture)
    }
}
