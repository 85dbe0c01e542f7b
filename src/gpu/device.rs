//! Choosing and opening a device, collecting its errors, reading back.

use super::{Buffer, GpuError, Kernel, Recorder, shader};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Which device to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest: discrete, then integrated, then virtual, then software.
    #[default]
    Auto,
    /// Position in [`list_devices`].
    Index(usize),
    /// Part of the name, case-insensitive.
    Name(String),
}

impl std::str::FromStr for DeviceChoice {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(match s.parse() {
            Ok(index) => Self::Index(index),
            Err(_) if s.eq_ignore_ascii_case("auto") => Self::Auto,
            Err(_) => Self::Name(s.to_owned()),
        })
    }
}

/// One line of `thenar devices`.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceDescription {
    /// Position, usable as `--device INDEX`.
    pub index: usize,
    /// Name given by the driver.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// Driver name and version.
    pub driver: String,
    /// Largest storage binding in bytes.
    pub max_storage_bytes: u64,
}

/// What [`super::Spans`] makes use of where it is there.
const TIMING: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY.union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    description: DeviceDescription,
    limits: wgpu::Limits,
    fault: Arc<Mutex<Option<GpuError>>>,
    /// Bytes of the buffers and textures that are there now.
    held: Arc<AtomicU64>,
}

/// Bytes on the device, counted as long as this lives.
#[derive(Debug)]
pub(super) struct Held {
    sum: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An open device with its queue. Clones share it.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("device", &self.inner.description.name).finish()
    }
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    descriptor.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(descriptor)
}

const fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> DeviceDescription {
    let info = adapter.get_info();
    DeviceDescription {
        index,
        name: info.name,
        backend: info.backend.to_str().to_owned(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_storage_bytes: adapter.limits().max_storage_buffer_binding_size,
    }
}

fn adapters() -> Vec<wgpu::Adapter> {
    let mut all = pollster::block_on(instance().enumerate_adapters(wgpu::Backends::all()));
    // A stable order, fastest kind first, so that an index means the same from run to run.
    all.sort_by_key(|a| {
        let info = a.get_info();
        (rank(info.device_type), info.backend.to_str(), info.name)
    });
    all
}

/// All devices, fastest kind first.
#[must_use]
pub fn list_devices() -> Vec<DeviceDescription> {
    adapters().iter().enumerate().map(|(i, a)| describe(i, a)).collect()
}

impl Gpu {
    /// Opens the chosen device with the limits it has.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::UnknownDevice`] or [`GpuError::Open`].
    pub fn new(choice: &DeviceChoice) -> Result<Self, GpuError> {
        let all = adapters();
        if all.is_empty() {
            return Err(GpuError::NoAdapter);
        }
        let index = match choice {
            DeviceChoice::Auto => Some(0),
            DeviceChoice::Index(i) => (*i < all.len()).then_some(*i),
            DeviceChoice::Name(name) => {
                let wanted = name.to_lowercase();
                all.iter().position(|a| a.get_info().name.to_lowercase().contains(&wanted))
            }
        };
        let Some(index) = index else {
            let available: Vec<String> =
                all.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.get_info().name)).collect();
            return Err(GpuError::UnknownDevice {
                wanted: match choice {
                    DeviceChoice::Auto => "auto".to_owned(),
                    DeviceChoice::Index(i) => i.to_string(),
                    DeviceChoice::Name(n) => n.clone(),
                },
                available: available.join(", "),
            });
        };
        let adapter = &all[index];
        let has = adapter.limits();
        // WebGPU's default limits bind the design (8 storage buffers a stage); only sizes are raised to what there is.
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
            max_buffer_size: has.max_buffer_size,
            max_texture_dimension_2d: has.max_texture_dimension_2d,
            ..wgpu::Limits::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("thenar"),
            required_features: adapter.features() & TIMING,
            required_limits: limits.clone(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
        }))
        .map_err(|e| GpuError::Open(e.to_string()))?;

        let fault: Arc<Mutex<Option<GpuError>>> = Arc::default();
        let slot = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let error = match error {
                wgpu::Error::OutOfMemory { .. } => {
                    GpuError::OutOfMemory { label: "submitted work".to_owned(), bytes: 0 }
                }
                other => GpuError::Validation(other.to_string()),
            };
            // The first fault is the cause; later ones are its echoes.
            slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }));
        let slot = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, message| {
            if !matches!(reason, wgpu::DeviceLostReason::Destroyed) {
                slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(GpuError::Lost(message));
            }
        });
        let description = describe(index, adapter);
        Ok(Self { inner: Arc::new(Inner { device, queue, description, limits, fault, held: Arc::default() }) })
    }

    /// What this device is.
    #[must_use]
    pub fn description(&self) -> &DeviceDescription {
        &self.inner.description
    }

    /// True when the "GPU" is a CPU: the studio then draws less.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.inner.description.kind == "software"
    }

    /// Bytes of the buffers and textures that this program holds on the device now; what the driver adds to them is not known.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.inner.held.load(Ordering::Relaxed)
    }

    /// Counts `bytes` bytes until the answer is dropped.
    pub(super) fn hold(&self, bytes: u64) -> Held {
        self.inner.held.fetch_add(bytes, Ordering::Relaxed);
        Held { sum: Arc::clone(&self.inner.held), bytes }
    }

    pub(super) fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(super) fn limits(&self) -> &wgpu::Limits {
        &self.inner.limits
    }

    /// The first error the driver reported since the device was opened, if any.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self) -> Result<(), GpuError> {
        self.inner.fault.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Runs `make` inside an error scope and returns the scope's error, if it caught one.
    pub(super) fn scoped<T>(&self, filter: wgpu::ErrorFilter, make: impl FnOnce() -> T) -> (T, Option<String>) {
        let scope = self.inner.device.push_error_scope(filter);
        let value = make();
        let error = pollster::block_on(scope.pop()).map(|e| e.to_string());
        (value, error)
    }

    /// Compiles the kernel `name` (its path under `shaders/` without the ending).
    ///
    /// # Errors
    /// [`GpuError::Shader`] when the file, one of its `//#use` lines or the compiler objects.
    pub fn kernel(&self, name: &str) -> Result<Kernel, GpuError> {
        Kernel::new(self, name, &shader::source(name)?)
    }

    /// Starts recording work.
    #[must_use]
    pub fn recorder(&self, label: &str) -> Recorder {
        Recorder::new(self, label)
    }

    /// Waits until all submitted work is done.
    ///
    /// # Errors
    /// [`GpuError::Lost`] or an error of the submitted work.
    pub fn wait(&self) -> Result<(), GpuError> {
        self.inner.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| GpuError::Lost(e.to_string()))?;
        self.check()
    }

    /// Copies a buffer back to the CPU and waits for it.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read<T: bytemuck::Pod>(&self, buffer: &Buffer) -> Result<Vec<T>, GpuError> {
        self.read_range(buffer, 0, buffer.len_bytes())
    }

    /// Copies `bytes` bytes from `offset` back to the CPU and waits for them.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read_range<T: bytemuck::Pod>(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Vec<T>, GpuError> {
        let staging = Buffer::staging(self, bytes)?;
        let mut recorder = self.recorder("read");
        recorder.copy_range(buffer, offset, &staging, 0, bytes);
        recorder.submit()?;
        self.map(&staging, bytes)
    }

    /// Waits for all submitted work and takes the first `bytes` bytes of a staging buffer.
    pub(super) fn map<T: bytemuck::Pod>(&self, staging: &Buffer, bytes: u64) -> Result<Vec<T>, GpuError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        staging.raw().map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // The receiver lives until this function returns; a failed send has nobody to tell.
            let _ = sender.send(result);
        });
        self.wait()?;
        match receiver.recv() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(GpuError::Lost(e.to_string())),
            Err(e) => return Err(GpuError::Lost(e.to_string())),
        }
        let values = bytemuck::pod_collect_to_vec(&staging.raw().get_mapped_range(..bytes));
        staging.raw().unmap();
        Ok(values)
    }
}
