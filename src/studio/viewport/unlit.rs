//! The material of everything in the 3D view: what it says it says by colours of its own. Bevy's standard one has light,
//! gloss and fog, and is as long when all of that is off: on a software driver it took most of a frame.

use bevy::asset::uuid_handle;
use bevy::mesh::MeshVertexBufferLayoutRef;
use bevy::pbr::{MaterialPipeline, MaterialPipelineKey};
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, RenderPipelineDescriptor, SpecializedMeshPipelineError};
use bevy::shader::ShaderRef;

const SHADER: Handle<Shader> = uuid_handle!("6c8f4c0e-5a0d-4c57-9a35-0f2a94b1d7e3");

/// Adds the material.
pub(super) fn plugin(app: &mut App) {
    app.add_plugins(MaterialPlugin::<Unlit>::default());
    let shader = Shader::from_wgsl(include_str!("unlit.wgsl"), "unlit.wgsl");
    if let Err(error) = app.world_mut().resource_mut::<Assets<Shader>>().insert(&SHADER, shader) {
        tracing::error!("the 3D view has no shader: {error}");
    }
}

/// A tint times a picture (where the mesh has texture coordinates) times the vertices' colours (where it has some), seen from
/// both sides.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug, Default)]
pub(super) struct Unlit {
    #[uniform(0)]
    pub(super) tint: LinearRgba,
    #[texture(1)]
    #[sampler(2)]
    pub(super) picture: Option<Handle<Image>>,
}

impl Material for Unlit {
    fn fragment_shader() -> ShaderRef {
        SHADER.into()
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }

    fn specialize(
        _: &MaterialPipeline,
        descriptor: &mut RenderPipelineDescriptor,
        _: &MeshVertexBufferLayoutRef,
        _: MaterialPipelineKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        descriptor.primitive.cull_mode = None;
        Ok(())
    }
}
