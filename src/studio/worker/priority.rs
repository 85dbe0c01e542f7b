//! The worker gives way to the window.
//!
//! Where the graphics driver is a processor (llvmpipe), the fit and the window share the same cores, and a frame of the
//! window waits for whole time slices of the fit. A lower priority mends that at no cost to the fit: it still gets every
//! cycle that the window leaves.
//!
//! On Linux a nice value belongs to a thread and is handed on to the threads it starts. llvmpipe starts its own when a device
//! is opened, so the worker lowers its priority before it opens one, and they all follow. Elsewhere nothing is done: macOS
//! has no nice value a thread, and a software driver is rare there and on Windows.

/// Steps towards "nice": of a contended core the window then gets about nine tenths. More would let any other busy program
/// of the machine starve the fit.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread and of those it starts from now on.
#[cfg(target_os = "linux")]
pub(super) fn give_way_to_the_window() {
    use rustix::process::{getpriority_process, setpriority_process};
    // To Linux "the calling process" is the calling thread.
    let lowered = getpriority_process(None).and_then(|now| setpriority_process(None, (now + NICE).min(19)));
    if let Err(error) = lowered {
        tracing::warn!("the worker keeps the window's priority ({error}); the window may answer late while fitting");
    }
}

/// Nothing, see the module.
#[cfg(not(target_os = "linux"))]
pub(super) const fn give_way_to_the_window() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn the_thread_and_those_it_starts_are_nicer_and_its_parent_is_not() {
        let nice = || getpriority_process(None).expect("a thread has a nice value");
        let before = nice();
        let child = std::thread::Builder::new()
            .spawn(move || {
                super::give_way_to_the_window();
                let grandchild = std::thread::Builder::new().spawn(nice).expect("a thread");
                (nice(), grandchild.join().expect("it ends"))
            })
            .expect("a thread");
        let wanted = (before + super::NICE).min(19);
        assert_eq!(child.join().expect("it ends"), (wanted, wanted), "lowered and handed on");
        assert_eq!(nice(), before, "the window's own thread is as it was");
    }
}
