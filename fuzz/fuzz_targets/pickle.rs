//! Any bytes are read as a pickle or refused: no panic, no endless loop, no more memory than the limits allow.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub, reason = "the reader is compiled outside its crate")]

#[path = "../../src/hand/pickle/mod.rs"]
mod pickle;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pickle) = pickle::Pickle::parse(bytes) {
        let root = pickle.root();
        let _ = (root.text(), root.int(), root.numbers(), root.sparse());
        for key in root.keys() {
            let value = root.get(&key).expect("a key has a value");
            let _ = (value.kind(), value.numbers(), value.sparse());
        }
    }
    if let Ok(pickle) = pickle::Pickle::parse_torch(bytes) {
        // Storages of every small size, so that some fit what a tensor claims.
        let storage = [0; 64];
        for length in 0..=storage.len() {
            let _ = pickle.torch_state(&|_| Some(&storage[..length]));
        }
    }
    let _ = pickle::npy_numbers(bytes);
});
