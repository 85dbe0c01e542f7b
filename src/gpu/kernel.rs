//! Kernels by reflection: the WGSL text is the only list of bindings, workgroup sizes and struct layouts.

use super::{Buffer, Gpu, GpuError};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    Uniform,
    ReadOnly,
    ReadWrite,
}

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub name: String,
    pub binding: u32,
    pub access: Access,
}

/// Byte layout of one WGSL struct: size and `(member, offset)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructLayout {
    /// Size in bytes, padding included.
    pub bytes: u32,
    /// Members in order with their offsets in bytes.
    pub members: Vec<(String, u32)>,
}

/// What naga says about a WGSL text.
pub(super) struct Reflection {
    pub slots: Vec<Slot>,
    pub module: naga::Module,
}

pub(super) fn reflect(name: &str, text: &str) -> Result<Reflection, GpuError> {
    let shader_error = |message: String| GpuError::Shader { name: name.to_owned(), message };
    let module = naga::front::wgsl::parse_str(text).map_err(|e| shader_error(e.emit_to_string(text)))?;
    let mut slots = Vec::new();
    for (_, global) in module.global_variables.iter() {
        let Some(place) = &global.binding else { continue };
        if place.group != 0 {
            return Err(shader_error(format!("group {} is used; kernels use group 0 only", place.group)));
        }
        let access = match global.space {
            naga::AddressSpace::Uniform => Access::Uniform,
            naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => Access::ReadWrite,
            naga::AddressSpace::Storage { .. } => Access::ReadOnly,
            _ => return Err(shader_error("only uniform and storage bindings are supported".to_owned())),
        };
        let variable = global.name.clone().unwrap_or_default();
        slots.push(Slot { name: variable, binding: place.binding, access });
    }
    slots.sort_by_key(|s| s.binding);
    Ok(Reflection { slots, module })
}

pub(super) fn layout_entries(slots: &[Slot], visibility: wgpu::ShaderStages) -> Vec<wgpu::BindGroupLayoutEntry> {
    slots
        .iter()
        .map(|slot| wgpu::BindGroupLayoutEntry {
            binding: slot.binding,
            visibility,
            ty: wgpu::BindingType::Buffer {
                ty: match slot.access {
                    Access::Uniform => wgpu::BufferBindingType::Uniform,
                    Access::ReadOnly => wgpu::BufferBindingType::Storage { read_only: true },
                    Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect()
}

pub(super) fn bind_group(
    gpu: &Gpu,
    kernel: &str,
    layout: &wgpu::BindGroupLayout,
    slots: &[Slot],
    buffers: &[(&str, &Buffer)],
) -> Result<wgpu::BindGroup, GpuError> {
    let refuse = |message: String| GpuError::Binding { kernel: kernel.to_owned(), message };
    for (name, _) in buffers {
        if !slots.iter().any(|s| s.name == *name) {
            let known: Vec<&str> = slots.iter().map(|s| s.name.as_str()).collect();
            return Err(refuse(format!("`{name}` is no binding; there are {}", known.join(", "))));
        }
    }
    let mut entries = Vec::with_capacity(slots.len());
    for slot in slots {
        let Some((_, buffer)) = buffers.iter().find(|(name, _)| *name == slot.name) else {
            return Err(refuse(format!("`{}` is not bound", slot.name)));
        };
        entries.push(wgpu::BindGroupEntry { binding: slot.binding, resource: buffer.raw().as_entire_binding() });
    }
    let (group, error) = gpu.scoped(wgpu::ErrorFilter::Validation, || {
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor { label: Some(kernel), layout, entries: &entries })
    });
    error.map_or(Ok(group), |e| Err(refuse(e)))
}

struct Inner {
    name: String,
    gpu: Gpu,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    slots: Vec<Slot>,
    invocations: u32,
}

/// A compiled compute kernel. Clones share it.
#[derive(Clone)]
pub struct Kernel {
    inner: Arc<Inner>,
}

/// A kernel with its buffers: made once per stage, dispatched every iteration.
#[derive(Clone)]
pub struct Bound {
    kernel: Kernel,
    group: wgpu::BindGroup,
}

impl Kernel {
    /// Compiles WGSL `text` whose entry point is the last part of `name`.
    pub(super) fn new(gpu: &Gpu, name: &str, text: &str) -> Result<Self, GpuError> {
        let shader_error = |message: String| GpuError::Shader { name: name.to_owned(), message };
        let reflection = reflect(name, text)?;
        let entry_name = name.rsplit('/').next().unwrap_or(name);
        let entry = reflection
            .module
            .entry_points
            .iter()
            .find(|e| e.name == entry_name && e.stage == naga::ShaderStage::Compute)
            .ok_or_else(|| shader_error(format!("there is no compute entry point `{entry_name}`")))?;
        let invocations = entry.workgroup_size.iter().product();
        let device = gpu.device();
        let ((layout, pipeline), error) = gpu.scoped(wgpu::ErrorFilter::Validation, || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(text.into()),
            });
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(name),
                entries: &layout_entries(&reflection.slots, wgpu::ShaderStages::COMPUTE),
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry_name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Buffers start zeroed and kernels initialise their workgroup memory themselves.
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            });
            (layout, pipeline)
        });
        if let Some(message) = error {
            return Err(shader_error(message));
        }
        let inner =
            Inner { name: name.to_owned(), gpu: gpu.clone(), pipeline, layout, slots: reflection.slots, invocations };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Compiles a text given by a test: for perturbed kernels that a check must catch.
    ///
    /// # Errors
    /// [`GpuError::Shader`] when it does not compile.
    #[cfg(test)]
    pub fn from_text(gpu: &Gpu, name: &str, text: &str) -> Result<Self, GpuError> {
        Self::new(gpu, name, text)
    }

    /// Binds buffers by the names of the WGSL variables; every binding must be named, no other may be.
    ///
    /// # Errors
    /// [`GpuError::Binding`] naming the culprit.
    pub fn bind(&self, buffers: &[(&str, &Buffer)]) -> Result<Bound, GpuError> {
        let inner = &self.inner;
        let group = bind_group(&inner.gpu, &inner.name, &inner.layout, &inner.slots, buffers)?;
        Ok(Bound { kernel: self.clone(), group })
    }

    /// Workgroup size, all dimensions multiplied.
    #[must_use]
    pub fn invocations_per_workgroup(&self) -> u32 {
        self.inner.invocations
    }
}

impl Bound {
    pub(super) fn name(&self) -> &str {
        &self.kernel.inner.name
    }
    pub(super) fn invocations_per_workgroup(&self) -> u32 {
        self.kernel.inner.invocations
    }
    pub(super) fn pipeline(&self) -> &wgpu::ComputePipeline {
        &self.kernel.inner.pipeline
    }
    pub(super) const fn group(&self) -> &wgpu::BindGroup {
        &self.group
    }
}

/// Layout of the struct `type_name` in shader `name`, for tests that hold it against the Rust struct.
///
/// # Errors
/// [`GpuError::Shader`] when the shader or the struct does not exist.
pub fn struct_layout(name: &str, type_name: &str) -> Result<StructLayout, GpuError> {
    let text = super::shader::source(name)?;
    let reflection = reflect(name, &text)?;
    for (_, ty) in reflection.module.types.iter() {
        if ty.name.as_deref() == Some(type_name)
            && let naga::TypeInner::Struct { members, span } = &ty.inner
        {
            let members = members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset)).collect();
            return Ok(StructLayout { bytes: *span, members });
        }
    }
    Err(GpuError::Shader { name: name.to_owned(), message: format!("there is no struct `{type_name}`") })
}
