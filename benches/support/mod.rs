//! What the benchmarks share.

use std::sync::OnceLock;
use std::time::Instant;

/// Processor seconds of all threads of this process, where the system tells (Linux); wall seconds elsewhere.
pub(crate) fn processor_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let nanoseconds = |task: std::fs::DirEntry| -> Option<f64> {
        let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse().ok()
    };
    match std::fs::read_dir("/proc/self/task") {
        Ok(tasks) => tasks.flatten().filter_map(nanoseconds).sum::<f64>() * 1e-9,
        Err(_) => START.get_or_init(Instant::now).elapsed().as_secs_f64(),
    }
}
