//! `thenar devices`: what `--device` can name.

use super::{CliError, Exit};
use crate::gpu::{DeviceDescription, GpuError, list_devices};
use std::io::Write;

/// Arguments of `thenar devices`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct DevicesArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &DevicesArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let devices = list_devices();
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &devices)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", table(&devices))?;
    }
    if devices.is_empty() { Err(GpuError::NoAdapter.into()) } else { Ok(Exit::Done) }
}

fn table(devices: &[DeviceDescription]) -> String {
    let mut text = String::new();
    for d in devices {
        let mib = d.max_storage_bytes / (1 << 20);
        text +=
            &format!("{}  {}  ({}, {}; {}; buffers up to {mib} MiB)\n", d.index, d.name, d.kind, d.backend, d.driver);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_one_line_that_begins_with_its_index() {
        let device = DeviceDescription {
            index: 3,
            name: "Example 9000".into(),
            backend: "vulkan".into(),
            kind: "discrete",
            driver: "example 1.2".into(),
            max_storage_bytes: 128 << 20,
        };
        let expected = "3  Example 9000  (discrete, vulkan; example 1.2; buffers up to 128 MiB)\n";
        assert_eq!(table(&[device]), expected, "as documented");
    }
}
