//! The one hardware raster pass: which triangle is seen through the centre of each pixel.
//!
//! What is drawn stands in an indirect draw. Vertices are pulled from storage buffers with a flat triangle id (no `PRIMITIVE_INDEX`, so every backend works), back
//! faces are culled, depth is 32-bit float. The result, `triangle + 1` or 0 for background, is copied into a linear
//! buffer of `height × width` words, so that compute kernels and their CPU twins read a plain array. Widths are multiples
//! of 64 because a row of a texture copy must be a multiple of 256 bytes.
//!
//! Cost: ~0.15-0.3 µs a triangle on a software driver, next to nothing on a GPU; the copy is a memcpy.

use super::device::Held;
use super::kernel::{Slot, bind_group, layout_entries, reflect};
use super::{Buffer, Gpu, GpuError, shader};

const IDS: wgpu::TextureFormat = wgpu::TextureFormat::R32Uint;
const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth32Float;

/// The raster pipeline of a WGSL file with entry points `vertex` and `fragment`.
pub struct IdRaster {
    name: String,
    gpu: Gpu,
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    slots: Vec<Slot>,
}

/// Textures for one region; reusable for every view that is not larger.
pub struct IdTarget {
    width: u32,
    height: u32,
    ids: wgpu::Texture,
    depth: wgpu::TextureView,
    _held: Held,
}

/// Buffers bound to an [`IdRaster`].
pub struct RasterBound {
    group: wgpu::BindGroup,
}

impl IdTarget {
    /// Textures of `width × height`; the width must be a multiple of 64.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] beyond the device's texture size, [`GpuError::OutOfMemory`] when there is no memory.
    pub fn new(gpu: &Gpu, width: u32, height: u32) -> Result<Self, GpuError> {
        debug_assert!(width.is_multiple_of(64), "rows of a texture copy are multiples of 256 bytes");
        let limit = gpu.limits().max_texture_dimension_2d;
        if width.max(height) > limit {
            return Err(GpuError::TooLarge {
                label: "visibility".to_owned(),
                bytes: u64::from(width.max(height)),
                limit: u64::from(limit),
                what: "largest texture side in pixels",
            });
        }
        let make = |label, format, usage| {
            gpu.device().create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage,
                view_formats: &[],
            })
        };
        use wgpu::TextureUsages as U;
        let ((ids, depth), error) = gpu.scoped(wgpu::ErrorFilter::OutOfMemory, || {
            (make("triangle ids", IDS, U::RENDER_ATTACHMENT | U::COPY_SRC), make("depth", DEPTH, U::RENDER_ATTACHMENT))
        });
        // Four bytes an id, four a depth.
        let bytes = u64::from(width) * u64::from(height) * 8;
        if error.is_some() {
            return Err(GpuError::OutOfMemory { label: "visibility".to_owned(), bytes });
        }
        let depth = depth.create_view(&wgpu::TextureViewDescriptor::default());
        Ok(Self { width, height, ids, depth, _held: gpu.hold(bytes) })
    }
}

impl IdRaster {
    /// Compiles the raster shader `name`.
    ///
    /// # Errors
    /// [`GpuError::Shader`].
    pub fn new(gpu: &Gpu, name: &str) -> Result<Self, GpuError> {
        Self::with_text(gpu, name, &shader::source(name)?)
    }

    /// Compiles a text given by a test: for perturbed shaders that a check must catch.
    ///
    /// # Errors
    /// [`GpuError::Shader`] when it does not compile.
    #[cfg(test)]
    pub fn from_text(gpu: &Gpu, name: &str, text: &str) -> Result<Self, GpuError> {
        Self::with_text(gpu, name, text)
    }

    fn with_text(gpu: &Gpu, name: &str, text: &str) -> Result<Self, GpuError> {
        let reflection = reflect(name, text)?;
        let device = gpu.device();
        let ((layout, pipeline), error) = gpu.scoped(wgpu::ErrorFilter::Validation, || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(text.into()),
            });
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(name),
                entries: &layout_entries(&reflection.slots, wgpu::ShaderStages::VERTEX),
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(name),
                layout: Some(&pipeline_layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("vertex"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState {
                    topology: wgpu::PrimitiveTopology::TriangleList,
                    front_face: wgpu::FrontFace::Ccw,
                    cull_mode: Some(wgpu::Face::Back),
                    ..Default::default()
                },
                depth_stencil: Some(wgpu::DepthStencilState {
                    format: DEPTH,
                    depth_write_enabled: Some(true),
                    depth_compare: Some(wgpu::CompareFunction::Less),
                    stencil: wgpu::StencilState::default(),
                    bias: wgpu::DepthBiasState::default(),
                }),
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some("fragment"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(IDS.into())],
                }),
                multiview_mask: None,
                cache: None,
            });
            (layout, pipeline)
        });
        if let Some(message) = error {
            return Err(GpuError::Shader { name: name.to_owned(), message });
        }
        Ok(Self { name: name.to_owned(), gpu: gpu.clone(), pipeline, layout, slots: reflection.slots })
    }

    /// Binds buffers by name.
    ///
    /// # Errors
    /// [`GpuError::Binding`].
    pub fn bind(&self, buffers: &[(&str, &Buffer)]) -> Result<RasterBound, GpuError> {
        Ok(RasterBound { group: bind_group(&self.gpu, &self.name, &self.layout, &self.slots, buffers)? })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
    pub(super) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        target: &IdTarget,
        bound: &RasterBound,
        (width, height): (u32, u32),
        arguments: &Buffer,
        ids: &Buffer,
        timestamps: Option<wgpu::RenderPassTimestampWrites<'_>>,
    ) {
        debug_assert!(width <= target.width && height <= target.height, "the view fits into the target");
        let view = target.ids.create_view(&wgpu::TextureViewDescriptor::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some(&self.name),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                depth_stencil_attachment: Some(wgpu::RenderPassDepthStencilAttachment {
                    view: &target.depth,
                    depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Clear(1.0), store: wgpu::StoreOp::Discard }),
                    stencil_ops: None,
                }),
                timestamp_writes: timestamps,
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &bound.group, &[]);
            pass.set_viewport(0.0, 0.0, width as f32, height as f32, 0.0, 1.0);
            pass.set_scissor_rect(0, 0, width, height);
            pass.draw_indirect(arguments.raw(), 0);
        }
        encoder.copy_texture_to_buffer(
            target.ids.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: ids.raw(),
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(width * 4),
                    rows_per_image: Some(height),
                },
            },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
    }
}
