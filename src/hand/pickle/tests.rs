//! Pickles of every protocol as Python writes them (`fuzz/make_corpus.py`), and small ones by hand.

use super::*;

const PROTOCOLS: [&[u8]; 6] = [
    include_bytes!("../../../fuzz/corpus/pickle/all_p0.pkl"),
    include_bytes!("../../../fuzz/corpus/pickle/all_p1.pkl"),
    include_bytes!("../../../fuzz/corpus/pickle/all_p2.pkl"),
    include_bytes!("../../../fuzz/corpus/pickle/all_p3.pkl"),
    include_bytes!("../../../fuzz/corpus/pickle/all_p4.pkl"),
    include_bytes!("../../../fuzz/corpus/pickle/all_p5.pkl"),
];

fn refused(bytes: &[u8]) -> PickleError {
    Pickle::parse(bytes).expect_err("refused")
}

#[test]
fn every_protocol_reads_the_same() {
    for (protocol, bytes) in PROTOCOLS.iter().enumerate() {
        let pickle = Pickle::parse(bytes).unwrap_or_else(|e| panic!("protocol {protocol}: the file {e}"));
        let root = pickle.root();
        let field = |key: &str| root.get(key).unwrap_or_else(|| panic!("protocol {protocol}: {key} is there"));
        let numbers = |key: &str| field(key).numbers().unwrap_or_else(|e| panic!("protocol {protocol}: {key} {e}"));
        for key in ["c", "fortran"] {
            let array = numbers(key);
            assert_eq!(array.shape, [2, 3], "protocol {protocol}: {key}");
            assert_eq!(array.values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "protocol {protocol}: {key} in C order");
        }
        for (key, values) in [
            ("f4", &[0.0, 1.0, 2.0][..]),
            ("big", &[0.0, 1.0, 2.0]),
            ("u4", &[4_294_967_295.0, 0.0]),
            ("i2", &[-2.0, 3.0]),
            ("bool", &[1.0, 0.0]),
            ("scalar", &[2.5]),
            ("ch", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]),
            ("select", &[11.0, 0.0, 5.0, 6.0]),
        ] {
            assert_eq!(numbers(key).values, values, "protocol {protocol}: {key}");
        }
        assert_eq!(numbers("select").shape, [2, 2], "protocol {protocol}: the preferred shape");
        for key in ["csc", "csr", "coo"] {
            let matrix = field(key).sparse().unwrap_or_else(|e| panic!("protocol {protocol}: {key} {e}"));
            let expected = SparseRows { columns: 3, rows: vec![vec![(1, 2.0)], vec![(0, 1.5), (2, -3.0)]] };
            assert_eq!(matrix, Some(expected), "protocol {protocol}: {key}");
        }
        assert_eq!(field("c").sparse(), Ok(None), "an array is no sparse matrix");
        assert_eq!(field("text").text().as_deref(), Some("lbs"), "protocol {protocol}: a text");
        assert_eq!(field("umlaut").text().as_deref(), Some("\u{fc}\u{20ac}"), "protocol {protocol}: a text");
        assert_eq!(field("bytes").text().as_deref(), Some("\u{ff}\0"), "protocol {protocol}: bytes are Latin-1");
        assert_eq!(field("ordered").keys(), ["k", "l"], "protocol {protocol}: an ordered dictionary");
        assert_eq!(field("set").kind(), "a set", "protocol {protocol}: a set");
        let list = field("numbers").elements().expect("a list");
        let ints: Vec<Option<i128>> = list[..6].iter().map(|id| root.other(*id).int()).collect();
        assert_eq!(ints, [0, 255, 65_535, -1, 1 << 31, -(1 << 40)].map(Some), "protocol {protocol}: whole numbers");
        let ring = field("ring").elements().expect("a list");
        assert_eq!(ring[2], field("ring").id, "protocol {protocol}: a list within itself");
        for key in ["ordered", "ring", "text", "set"] {
            assert!(field(key).numbers().is_err(), "protocol {protocol}: {key} is no array");
        }
    }
}

#[test]
fn cut_files_are_refused_at_every_byte() {
    for bytes in PROTOCOLS {
        for cut in 0..bytes.len() {
            assert!(Pickle::parse(&bytes[..cut]).is_err(), "cut after {cut} of {}", bytes.len());
        }
        let longer = [bytes, b"N."].concat();
        assert!(matches!(refused(&longer), PickleError::Malformed { .. }), "something after the end");
    }
}

#[test]
fn foreign_names_are_named_and_never_called() {
    for (bytes, class) in [
        (&b"cos\nsystem\n(S'true'\ntR."[..], "os.system"),
        (b"\x80\x02cposix\nsystem\nU\x04true\x85R.", "posix.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"csubprocess\nPopen\n.", "subprocess.Popen"),
        (b"cchumpy.ch\nch\n.", "chumpy.ch.ch"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
        (b"c\x1b[31mos\nsys tem\n.", "?[31mos.sys?tem"),
    ] {
        assert_eq!(refused(bytes), PickleError::ForeignClass { class: class.to_owned() }, "{class}");
    }
    let long = [b"c", [b'm'; 200].as_slice(), b"\nx\n."].concat();
    let PickleError::ForeignClass { class } = refused(&long) else { panic!("a foreign class") };
    assert_eq!(class.len(), 80, "a long name is cut");
    assert!(refused(&long).to_string().contains("asks for `mmm"), "in the message");
}

#[test]
fn calls_are_only_those_that_files_have() {
    for wrong in [
        &b"cnumpy\nndarray\n)R."[..],
        b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nset\n(I0\ntS'b'\ntR.",
        b"c_codecs\nencode\n(Va\nS'rot13'\ntR.",
        b"c_codecs\nencode\n(V\\u20ac\nS'latin1'\ntR.",
        b"c__builtin__\nset\n(I1\ntR.",
        b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
        b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.",
        b"cchumpy.ch\nCh\n(I1\ntR.",
        b"ccollections\nOrderedDict\n((I1\ntR.",
        b"N)R.",
        b"cnumpy\ndtype\nNR.",
        b"I1\nNb.",
        b"Qx.",
        b"Pid\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x05\x97.",
        b"\x80\x06N.",
        b"h\x00.",
        b".",
        b"a.",
        b"(.",
        b"NN.",
        b"(Nl(.",
        b"N(0.0.",
        b"]N}s.",
        b"(I1\nd.",
        b"(]I1\nd.",
        b"S'\\q'\n.",
        b"S'\\'\n.",
        b"S'\\xg0'\n.",
        b"Sx\n.",
        b"X\x01\x00\x00\x00\xff.",
        b"I1.5\n.",
        b"Fx\n.",
        b"\xff.",
        b"",
    ] {
        assert!(Pickle::parse(wrong).is_err(), "{} is refused", wrong.escape_ascii());
    }
}

#[test]
fn short_instructions_mean_what_python_means() {
    let int = |bytes: &[u8]| Pickle::parse(bytes).unwrap_or_else(|e| panic!("{e}")).root().int();
    assert_eq!(int(b"I01\n."), Some(1), "a truth value in text");
    assert_eq!(int(b"L-7L\n."), Some(-7), "a long in text");
    assert_eq!(int(b"I7\r\n."), Some(7), "lines of Windows");
    assert_eq!(int(b"J\xfe\xff\xff\xff."), Some(-2), "four bytes, signed");
    assert_eq!(int(b"\x8a\x02\x00\xff."), Some(-256), "two's complement of any length");
    assert_eq!(int(b"\x8a\x00."), Some(0), "of none too");
    assert_eq!(int(b"I1\nI2\n0."), Some(1), "POP");
    assert_eq!(int(b"I1\n(I2\nI3\n1."), Some(1), "POP_MARK");
    assert_eq!(int(b"I1\n(0."), Some(1), "POP of a mark");
    assert_eq!(int(b"I5\np7\n0g7\n."), Some(5), "PUT and GET");
    assert_eq!(int(b"I5\n\x940h\x00."), Some(5), "MEMOIZE counts on");
    let text = |bytes: &[u8]| Pickle::parse(bytes).expect("a text").root().text().map(|t| t.into_owned());
    assert_eq!(text(b"S'a\\n\\x41\\'\\\\'\n.").as_deref(), Some("a\nA'\\"), "escapes");
    assert_eq!(text(b"S\"it's\"\n.").as_deref(), Some("it's"), "either quote");
    assert_eq!(text(b"V\\u00fcb\xfc\n.").as_deref(), Some("\u{fc}b\u{fc}"), "raw unicode escapes");
    let twice = Pickle::parse(b"}S'a'\nI1\nsS'a'\nI2\ns.").expect("a dictionary");
    assert_eq!(twice.root().get("a").and_then(Value::int), Some(2), "the last one counts");
}

#[test]
fn every_key_that_is_listed_is_found() {
    // Found by the fuzzer: a Python 2 key beyond ASCII was listed as Latin-1 and looked for as UTF-8.
    for (bytes, key) in
        [(&b"\x80\x02}U\x01\xe9K\x07s."[..], "\u{e9}"), (b"}S'a'\nI7\ns.", "a"), (b"}V\\u20ac\nI7\ns.", "\u{20ac}")]
    {
        let pickle = Pickle::parse(bytes).expect("a dictionary");
        assert_eq!(pickle.root().keys(), [key], "listed");
        assert_eq!(pickle.root().get(key).and_then(Value::int), Some(7), "`{key}` is found");
    }
}

#[test]
fn claims_are_compared_with_what_is_there() {
    // _reconstruct, then BUILD with a shape, a type and bytes.
    let array = |shape: &str, bytes: usize| {
        let mut p = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n".to_vec();
        p.extend(format!("({shape}t").as_bytes());
        p.extend(b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nT");
        p.extend(u32::try_from(bytes).expect("small").to_le_bytes());
        p.extend(vec![0; bytes]);
        p.extend(b"tb.");
        p
    };
    let sound = array("I2\nI3\n", 48);
    assert_eq!(Pickle::parse(&sound).expect("sound").root().numbers().expect("numbers").values, [0.0; 6], "sound");
    for (shape, bytes) in
        [("I1000000000\n", 8), ("I2\nI3\n", 40), ("I-1\n", 8), ("L4294967296L\nL4294967296L\n", 8), ("I0\n", 8)]
    {
        let error = refused(&array(shape, bytes)).to_string();
        assert!(error.contains("array"), "{shape:?}: {error}");
    }
    assert!(refused(&array(&"I1\n".repeat(9), 8)).to_string().contains("more than 8 axes"), "axes");
    let truncated = [&b"T\xff\xff\xff\x7f."[..], b"\x80\x04\x8e\0\0\0\0\0\0\0\x10.", b"\x80\x02\x8b\xff\xff\xff\x7f."];
    for bytes in truncated {
        assert_eq!(refused(bytes), PickleError::Truncated { at: bytes.len() }, "{}", bytes.escape_ascii());
    }
}

#[test]
fn limits_end_what_grows() {
    let limit = |bytes: &[u8], expected: &str| {
        let error = refused(bytes).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    };
    limit(&b"(".repeat(1_000_000), "marks");
    limit(&b"N".repeat(1_000_000), "values on its stack");
    limit(&b"N0".repeat(1_000_000), "instructions");
    limit(&[&b"N"[..], &b"\x85".repeat(1_000_000)].concat(), "containers within each other");
    limit(&[b"]".repeat(300), b"a".repeat(299)].concat(), "containers within each other");
    // A list that is put into itself again and again.
    limit(&[&b"]q\x00"[..], &b"h\x00a".repeat(200)].concat(), "containers within each other");
    let puts: Vec<u8> = (0..60_000_u32).flat_map(|i| [&b"r"[..], &i.to_le_bytes()].concat()).collect();
    limit(&[b"N".to_vec(), puts].concat(), "memo entries");
    let appends = [&b"N]q\x00"[..], &b"(NNNNNNNNNNNNNNNNe".repeat(100_000)].concat();
    limit(&appends, "more than");
    let decoded = format!("S'{}\\n'\n0", "a".repeat(1 << 20)).repeat(10);
    limit(decoded.as_bytes(), "bytes of text that has to be decoded");
    limit(&vec![b'N'; limits::INPUT_BYTES + 1], "bytes");
    // Nine layers of chumpy objects.
    let mut layers = b"I1\n".to_vec();
    for _ in 0..9 {
        layers.splice(0..0, *b"cchumpy.ch\nCh\n)\x81}S'x'\n");
        layers.extend(b"sb");
    }
    layers.push(b'.');
    let pickle = Pickle::parse(&layers).expect("it reads");
    assert!(matches!(pickle.root().numbers(), Err(PickleError::Limit { .. })), "layers");
}

#[test]
fn sparse_matrices_that_do_not_fit_are_refused() {
    let pickle = |data: &str, indices: &str, starts: &str| {
        let list = |values: &str| {
            let bytes: Vec<u8> =
                values.split_whitespace().flat_map(|v| v.parse::<i32>().expect("a number").to_le_bytes()).collect();
            let mut p = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n".to_vec();
            p.extend(format!("(I{}\nt", bytes.len() / 4).as_bytes());
            p.extend(b"cnumpy\ndtype\n(S'i4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nU");
            p.push(u8::try_from(bytes.len()).expect("short"));
            p.extend(bytes);
            p.extend(b"tb");
            p
        };
        let mut p = b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(S'_shape'\n(I2\nI3\nt".to_vec();
        for (key, values) in [("data", data), ("indices", indices), ("indptr", starts)] {
            p.extend(format!("S'{key}'\n").as_bytes());
            p.extend(list(values));
        }
        p.extend(b"ub.");
        p
    };
    let rows = |p: &[u8]| Pickle::parse(p).expect("it reads").root().sparse().map(|m| m.expect("a matrix").rows);
    assert_eq!(rows(&pickle("5 6 7", "2 0 1", "0 2 3")).expect("sound"), [vec![(0, 6.0), (2, 5.0)], vec![(1, 7.0)]]);
    assert_eq!(rows(&pickle("5 6", "1 1", "0 2 2")).expect("sound"), [vec![(1, 11.0)], vec![]], "the same place twice");
    assert_eq!(rows(&pickle("5 6", "1 9", "0 1 1")).expect("sound"), [vec![(1, 5.0)], vec![]], "unused ends");
    for (data, indices, starts) in [
        ("5 6 7", "2 0 3", "0 2 3"),
        ("5 6 7", "2 0 -1", "0 2 3"),
        ("5 6", "2 0 1", "0 2 3"),
        ("5 6 7", "2 0 1", "0 2 4"),
        ("5 6 7", "2 0 1", "1 2 3"),
        ("5 6 7", "2 0 1", "0 3 2"),
        ("5 6 7", "2 0 1", "0 3"),
    ] {
        assert!(rows(&pickle(data, indices, starts)).is_err(), "{data} | {indices} | {starts}");
    }
}

#[test]
fn npy_headers_are_read_and_checked() {
    let npy = |header: &str, data: &[u8]| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    };
    let header = |descr: &str, fortran: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    };
    let read =
        |descr: &str, fortran: &str, shape: &str, data: &[u8]| npy_numbers(&npy(&header(descr, fortran, shape), data));
    assert_eq!(read("|u1", "False", "(2, 2)", &[1, 2, 3, 4]).expect("sound").values, [1.0, 2.0, 3.0, 4.0], "C order");
    assert_eq!(read("|u1", "True", "(2, 2)", &[1, 2, 3, 4]).expect("sound").values, [1.0, 3.0, 2.0, 4.0], "Fortran");
    assert_eq!(read(">i2", "False", "(1,)", &[1, 2]).expect("sound").values, [258.0], "big endian");
    assert_eq!(read("<i2", "False", "(1,)", &[0xff, 0xff]).expect("sound").values, [-1.0], "signed");
    assert_eq!(read("|b1", "False", "()", &[1]).expect("sound").shape, [] as [usize; 0], "a scalar");
    for (descr, shape, data) in [
        ("|O", "()", &[0][..]),
        ("<U3", "()", &[0; 12]),
        ("<f8", "(1000000000,)", &[0; 8]),
        ("<f8", "(4294967296, 4294967296)", &[0; 8]),
        ("<f8", "(-1,)", &[0; 8]),
        ("<f8", "(x,)", &[0; 8]),
        ("<f8", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", &[0; 8]),
    ] {
        assert!(read(descr, "False", shape, data).is_err(), "{descr} {shape}");
    }
    let sound = npy(&header("|u1", "False", "(4,)"), &[0; 4]);
    for cut in 0..sound.len() {
        assert!(npy_numbers(&sound[..cut]).is_err(), "cut after {cut} bytes");
    }
}
