//! Hostile, damaged and foreign hand-model files: each is refused in less than 100 ms and with less than 64 MiB, counted by
//! an allocator of this program's own (so this is a program of its own, and its tests take turns).

mod common;
#[path = "support/mano_file.rs"]
mod mano_file;

use mano_file::ManoFile;
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thenar::anatomy::Side;
use thenar::hand::mano::{self, ManoConvention};

const MOST_TIME: Duration = Duration::from_millis(100);
const MOST_BYTES: usize = 64 << 20;

/// The system's allocator with a count of what is held, and of the most that was.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one counts and hands on")]
// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: they share the count.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What loading a file took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    time: Duration,
    bytes: usize,
}

/// Time this thread has computed, where the system tells (Linux): other work on the machine does not count then.
fn computing_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Loads the file once; the error, if it was refused, and the cost.
fn attempt(path: &Path) -> (Option<String>, Cost) {
    let convention = ManoConvention::default();
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let (start, computing) = (Instant::now(), computing_time());
    let result = mano::load(path, Side::Right, &convention);
    let time = match (computing, computing_time()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed(),
    };
    let bytes = MOST.load(Ordering::Relaxed) - before;
    (result.err().map(|e| e.to_string()), Cost { time, bytes })
}

/// Asserts that the file is refused within the limits; returns the message. The best of five attempts counts, for the machine
/// may be busy; memory counts always.
#[track_caller]
fn refused(name: &str, path: &Path) -> (String, Cost) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let (error, cost) = attempt(path);
        let error = error.unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(cost.bytes < MOST_BYTES, "{name}: {} MiB", cost.bytes >> 20);
        best = best.min(cost.time);
        if best < MOST_TIME {
            return (error, Cost { time: best, ..cost });
        }
    }
    panic!("{name}: {best:?}");
}

/// Writes the bytes, then [`refused`].
#[track_caller]
fn refuse(name: &str, bytes: &[u8], words: &str) -> Cost {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("MANO_RIGHT.pkl");
    std::fs::write(&path, bytes).expect("written");
    let (error, cost) = refused(name, &path);
    assert!(error.contains(words), "{name}: `{words}` in: {error}");
    cost
}

/// A pickle of `{'v_template': array}` whose array claims a shape and has these bytes.
fn array_claiming(shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut p =
        b"\x80\x02}(U\nv_templatecnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01("
            .to_vec();
    p.extend(shape.as_bytes());
    p.extend(b"tcnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNK\x00K\x00K\x00tb\x89T");
    p.extend(u32::try_from(bytes.len()).expect("small").to_le_bytes());
    p.extend(bytes);
    p.extend(b"tbu.");
    p
}

#[test]
fn hostile_files_are_refused_quickly_and_in_little_memory() {
    let _turn = turn();
    let marker = std::env::temp_dir().join(format!("thenar-owned-{}", std::process::id()));
    let system = format!("cos\nsystem\n(S'touch {}'\ntR.", marker.display());
    let stack_global = [b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x85R.".as_slice()].concat();
    let mega = 1_000_000;
    let memo: Vec<u8> = (0..mega).flat_map(|i: u32| [b"r".as_slice(), &i.to_le_bytes()].concat()).collect();
    let doubling = [b"]q\x00".as_slice(), &b"h\x00h\x00\x86q\x00".repeat(300_000)].concat();
    let wide = [b"(".as_slice(), &b"K\x01".repeat(mega as usize), b"t."].concat();
    let escapes = [b"S'".as_slice(), &b"\\x00".repeat(5_900_000), b"'\n."].concat();
    let escapes_without_end = [b"S'".as_slice(), &b"\\x00".repeat(5_900_000)].concat();
    let unicode = [b"V".as_slice(), &b"\xff".repeat(24_000_000), b"\n."].concat();
    let small_ints = [
        b"cnumpy.core.numeric\n_frombuffer\n(T".as_slice(),
        &8_000_000_u32.to_le_bytes(),
        &[1; 8_000_000],
        b"cnumpy\ndtype\n(S'i1'\nI0\nI1\ntR(I8000000\ntS'C'\ntR.",
    ]
    .concat();
    let small_ints = [b"}S'v_template'\n".as_slice(), &small_ints[..small_ints.len() - 1], b"s."].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("os.system by REDUCE", system.into_bytes(), "asks for `os.system`"),
        ("os.system by STACK_GLOBAL", stack_global, "asks for `os.system`"),
        ("eval by INST", b"(S'1'\ni__builtin__\neval\n.".to_vec(), "asks for `__builtin__.eval`"),
        ("an array of 10^9 elements", array_claiming("I1000000000\n", &[0; 8]), "array"),
        ("an array of 2^80 elements", array_claiming("L1099511627776L\nL1099511627776L\n", &[0; 8]), "array"),
        ("10^6 brackets", b"(".repeat(mega as usize), "has more than"),
        ("10^6 lists", b"]".repeat(mega as usize), "has more than"),
        (
            "10^6 lists within each other",
            [b"]".repeat(mega as usize), b"a".repeat(mega as usize - 1)].concat(),
            "more than",
        ),
        (
            "10^6 tuples around each other",
            [b"N".as_slice(), &b"\x85".repeat(mega as usize)].concat(),
            "within each other",
        ),
        ("10^6 memo entries", [b"N".to_vec(), memo].concat(), "has more than"),
        ("a memo that doubles", doubling, "has more than"),
        ("10^6 numbers in a tuple", wide, "has more than"),
        ("a string of 2^31 bytes", b"\x80\x02T\xff\xff\xff\x7f.".to_vec(), "ends too early"),
        ("bytes of 2^60", b"\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x10.".to_vec(), "ends too early"),
        ("a text of 2^60 bytes", b"\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x10.".to_vec(), "ends too early"),
        ("a number of 2^31 bytes", b"\x80\x02\x8b\xff\xff\xff\x7f.".to_vec(), "ends too early"),
        ("24 MB of escapes", escapes, "holds a text"),
        ("24 MB of escapes without an end", escapes_without_end, "ends too early"),
        ("24 MB of Latin-1", unicode, "has to be decoded"),
        ("8 million numbers of a byte", small_ints, "numbers in an array"),
        ("24 MiB of nothing", b"N0".repeat(12 << 20), "has more than"),
        ("25 MiB", vec![b'N'; 25 << 20], "larger than 24 MiB"),
        ("a persistent identifier", b"Pfile:///etc/passwd\n.".to_vec(), "persistent"),
        ("a list", b"\x80\x04]\x94(K\x01K\x02e.".to_vec(), "holds a list"),
        ("a dictionary of something else", b"\x80\x04}\x94\x8c\x01a\x94K\x01s.".to_vec(), "no `v_template`"),
        (
            "a scikit-learn model",
            b"\x80\x04\x95\x1e\0\0\0\0\0\0\0\x8c\x14sklearn.linear_model\x94\x8c\x05Ridge\x94\x93\x94)\x81.".to_vec(),
            "asks for `sklearn.linear_model.Ridge`",
        ),
        (
            "a torch checkpoint's pickle",
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.".to_vec(),
            "asks for `torch._utils._rebuild_tensor_v2`",
        ),
        ("text", b"not a pickle at all\n".to_vec(), "no such instruction"),
        ("nothing", Vec::new(), "ends too early"),
        ("an archive without fields", b"PK\x03\x04".to_vec(), "damaged NPZ"),
    ];
    let mut most = Cost { time: Duration::ZERO, bytes: 0 };
    for (name, bytes, words) in &cases {
        let cost = refuse(name, bytes, words);
        eprintln!("{name}: {:.1} ms, {:.1} MiB", cost.time.as_secs_f64() * 1e3, cost.bytes as f64 / f64::from(1 << 20));
        most = Cost { time: most.time.max(cost.time), bytes: most.bytes.max(cost.bytes) };
    }
    eprintln!("most: {most:?}");
    assert!(!marker.exists(), "nothing of a file was run");
}

#[test]
fn an_archive_that_unpacks_to_much_is_refused() {
    let _turn = turn();
    let mut file = ManoFile::tube(Side::Right);
    file.set("v_template", &[1 << 21], vec![0.0; 1 << 21]);
    refuse("16 MiB of zeros in a small archive", &file.npz(), "is larger than 8 MiB");
}

#[test]
fn a_sound_file_is_read_within_the_same_memory() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("MANO_RIGHT.pkl");
    std::fs::write(&path, ManoFile::tube(Side::Right).pickle()).expect("written");
    let (error, cost) = attempt(&path);
    assert_eq!(error, None, "it is sound");
    assert!(cost.bytes > 2 << 20, "the counter counts: {} bytes", cost.bytes);
    assert!(cost.bytes < MOST_BYTES, "{} MiB", cost.bytes >> 20);
    let held = vec![0_u8; 3 << 20];
    assert!(HELD.load(Ordering::Relaxed) >= held.len(), "what is held is counted");
}

#[test]
fn truncated_reference_files_are_refused_quickly() {
    let _turn = turn();
    let Some(folder) = common::shared("fixtures/mano_format") else { return };
    let work = tempfile::tempdir().expect("a folder");
    let path = work.path().join("MANO_RIGHT.pkl");
    for kind in ["chumpy_py2_p2", "chumpy_py2_p0", "chumpy_all_py2_p2", "numpy_py2_p2"] {
        let bytes = std::fs::read(folder.join(kind).join("MANO_RIGHT.pkl")).expect("a file");
        for percent in 0..100 {
            std::fs::write(&path, &bytes[..bytes.len() * percent / 100]).expect("written");
            refused(&format!("{percent} % of {kind}"), &path);
        }
    }
}

/// A small generator (xorshift64*), so that every run mutates alike.
struct Random(u64);

impl Random {
    fn next(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).expect("31 bits") % end
    }
}

/// Changes a few bytes: flips, copies, cuts, insertions of instructions.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random, near_start: bool) {
    for _ in 0..=random.next(4) {
        // Most of a model is numbers; the instructions are what a reader can stumble over.
        let end = if near_start { bytes.len().min(4096) } else { bytes.len() };
        if end == 0 {
            return;
        }
        let at = random.next(end);
        match random.next(6) {
            0 => bytes[at] ^= 1 << random.next(8),
            1 => bytes[at] = u8::try_from(random.next(256)).expect("a byte"),
            2 => bytes.truncate(at),
            3 => bytes.insert(
                at,
                b"(.012tldRbcsuaepqrhjgNIJKLMSTUVX\x80\x81\x85\x86\x87\x8c\x8e\x93\x94\x95\x96"[random.next(43)],
            ),
            4 => {
                let length = random.next(64).min(bytes.len() - at);
                let piece = bytes[at..at + length].to_vec();
                let to = random.next(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                let length = random.next(16).min(bytes.len() - at);
                bytes.drain(at..at + length);
            }
        }
    }
}

#[test]
fn mutated_files_are_read_or_refused_and_nothing_else() {
    let _turn = turn();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/pickle");
    let mut seeds: Vec<_> =
        std::fs::read_dir(corpus).expect("the corpus").map(|e| e.expect("an entry").path()).collect();
    seeds.sort();
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|path| std::fs::read(path).expect("a seed")).collect();
    let tube = ManoFile::tube(Side::Right);
    let models = [tube.pickle(), tube.npz()];
    let convention = ManoConvention::default();
    let (mut read, mut refused) = (0, 0);
    let mut random = Random(0x7468_656e_6172);
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = Instant::now();
    for round in 0..40_000 {
        let whole = round % 400 == 0;
        let mut bytes = if whole { models[round / 400 % 2].clone() } else { seeds[round % seeds.len()].clone() };
        mutate(&mut bytes, &mut random, whole && round % 800 == 0);
        let result = mano::parse("x", &bytes, Side::Right, &convention);
        *(if result.is_ok() { &mut read } else { &mut refused }) += 1;
        if let Ok(pickle) = thenar::hand::pickle::Pickle::parse(&bytes) {
            for key in pickle.root().keys() {
                let value = pickle.root().get(&key).expect("a key has a value");
                // Either is fine; a panic is not.
                let _ = (value.numbers(), value.sparse());
            }
        }
        if let Ok(pickle) = thenar::hand::pickle::Pickle::parse_torch(&bytes) {
            let storage = [0; 32];
            for length in [4, 16, 32] {
                let _ = pickle.torch_state(&|_| Some(&storage[..length]));
            }
        }
    }
    assert!(refused > 30_000, "{refused} refused, {read} read");
    assert!(MOST.load(Ordering::Relaxed) - before < MOST_BYTES, "memory");
    assert!(start.elapsed() < Duration::from_secs(120), "it took {:?}", start.elapsed());
}
