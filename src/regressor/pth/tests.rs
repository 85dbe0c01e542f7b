//! Files that `PyTorch` wrote (tests/data/regressor/make.py) against what `PyTorch` says of them, and files that lie.

use super::*;
use crate::anatomy::{KEYPOINTS, Side};
use crate::hand::open_hand;
use crate::hand::pickle::TorchTensor;
use crate::regressor::network::Network;
use npyz::zip::ZipWriter;
use npyz::zip::write::FileOptions;
use serde::Deserialize;
use std::io::Write;

const NETWORK: &[u8] = include_bytes!("../../../tests/data/regressor/gcn_right.pth");
const STRIDED: &[u8] = include_bytes!("../../../tests/data/regressor/strided.pth");
const OLD: &[u8] = include_bytes!("../../../tests/data/regressor/old_format.pth");

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Reference {
    torch: String,
    faces: Vec<[u32; 3]>,
    joints: Vec<[f64; 3]>,
    vertices: Vec<[f64; 3]>,
    parameters: Vec<f64>,
    tensors: BTreeMap<String, Values>,
    strided: BTreeMap<String, Values>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/data/regressor/reference.json")).expect("sound")
}

/// The hand that the fixture's mesh belongs to: 24 vertices, of a model that has a mean pose.
fn model() -> HandModel {
    let faces = reference().faces;
    let hands_mean = std::array::from_fn(|i| if i % 2 == 0 { 0.1 } else { -0.2 });
    let open = open_hand(Side::Right).expect("sound asset");
    HandModel { template: vec![[0.0; 3]; 24], faces, hands_mean, name: "mano".to_owned(), ..open }
}

fn path() -> &'static Path {
    Path::new("gcn_right.pth")
}

fn same(found: &TorchValue, expected: &Values, name: &str) {
    let TorchValue::Dense(tensor) = found else { panic!("{name} is dense") };
    assert_eq!(tensor.shape, expected.shape, "{name}");
    #[expect(clippy::cast_possible_truncation, reason = "tensors are read in single precision")]
    let expected: Vec<f32> = expected.data.iter().map(|x| *x as f32).collect();
    assert_eq!(tensor.values, expected, "{name}");
}

#[test]
fn tensors_are_what_pytorch_says() {
    let reference = reference();
    assert!(reference.torch.starts_with("2.15.0"), "{}", reference.torch);
    let network = state(NETWORK).expect("sound");
    for (name, expected) in &reference.tensors {
        same(&network[name], expected, name);
    }
    assert!(matches!(network["L_0"], TorchValue::Sparse { .. }), "matrices are sparse");
    let strided = state(STRIDED).expect("sound");
    assert_eq!(strided.len(), reference.strided.len(), "all of them");
    for (name, expected) in &reference.strided {
        same(&strided[name], expected, name);
    }
}

#[test]
fn the_network_computes_what_pytorch_computes() {
    let reference = reference();
    let network = Network::new(&tensors(state(NETWORK).expect("sound")).expect("matrices")).expect("a network");
    let input: [f64; 63] = std::array::from_fn(|i| reference.joints[i / 3][i % 3]);
    let output = network.forward(&input, true);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert_eq!(output.vertices.len(), 24, "vertices");
    for (found, expected) in output.vertices.iter().zip(&reference.vertices) {
        assert!((0..3).all(|k| near(found[k], expected[k])), "{found:?} and {expected:?}");
    }
    assert_eq!(output.parameters.len(), 55, "parameters");
    assert!(output.parameters.iter().zip(&reference.parameters).all(|(a, b)| near(*a, *b)), "{:?}", output.parameters);
}

#[test]
fn a_file_is_bound_to_the_model_it_is_for() {
    let (reference, model) = (reference(), model());
    let regressor = HandRegressor::from_pth(NETWORK, path(), &model).expect("a regressor");
    let joints: [[f64; 3]; KEYPOINTS] = reference.joints.try_into().expect("21");
    let hand = regressor.predict(&joints, Side::Right, true).expect("a hand");
    for (found, expected) in hand.vertices.iter().zip(&reference.vertices) {
        assert!((0..3).all(|k| (found[k] - expected[k]).abs() < 1e-5), "not turned: {found:?} and {expected:?}");
    }
    // The authors' pose counts from the mean.
    for ((found, expected), mean) in hand.hand_pose.iter().zip(&reference.parameters).zip(&model.hands_mean) {
        assert!((found - expected - mean).abs() < 1e-5, "{found}, {expected} + {mean}");
    }
    assert!(hand.betas.iter().zip(&reference.parameters[45..]).all(|(a, b)| (a - b).abs() < 1e-5), "{:?}", hand.betas);
    assert!(regressor.serves(&model), "it knows its model");

    let refused = |model: &HandModel| {
        let error = HandRegressor::from_pth(NETWORK, path(), model).expect_err("another mesh");
        assert!(matches!(error, RegressorError::OtherModel { .. }), "{error}");
        error.to_string()
    };
    let error = refused(&open_hand(Side::Right).expect("sound asset"));
    assert!(error.contains("24 vertices; this one has 1649") && error.contains("--hand-model"), "{error}");
    let mut other = model;
    // An edge that runs the other way through its two triangles.
    other.faces[0] = [0, 1, 7];
    other.faces[1] = [0, 7, 6];
    assert!(refused(&other).contains("edges"), "one edge is enough");
}

#[test]
fn a_file_beside_the_model_or_named_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut model = model();
    model.origin.file = Some(folder.path().join("MANO_RIGHT.pkl"));
    let error = HandRegressor::find(&model).expect_err("nothing there yet").to_string();
    assert!(error.contains("gcn_right.safetensors or gcn_right.pth"), "{error}");
    let path = folder.path().join("gcn_right.pth");
    std::fs::write(&path, NETWORK).expect("written");
    assert!(HandRegressor::find(&model).expect("beside it").serves(&model), "found");
    let other = folder.path().join("weights_LEFT_union.pth");
    std::fs::rename(&path, &other).expect("moved");
    model.origin.start_weights = Some(other.clone());
    assert!(HandRegressor::find(&model).expect("named").serves(&model), "found by its name");

    let models = [&model, &model];
    assert_eq!(HandRegressor::sides_of(&other, models).expect("it says"), [Side::Left], "by its name");
    let unnamed = folder.path().join("gcn.pth");
    std::fs::rename(&other, &unnamed).expect("moved");
    let error = HandRegressor::sides_of(&unnamed, models).expect_err("it does not say");
    assert!(matches!(error, RegressorError::NoSide { .. }), "{error}");
    let error = HandRegressor::find(&model).expect_err("gone").to_string();
    assert!(error.contains("cannot be read"), "{error}");

    std::fs::write(&unnamed, OLD).expect("written");
    let error = HandRegressor::from_file(&unnamed, &model).expect_err("old").to_string();
    assert!(error.contains("before 1.6") && error.contains("torch.save"), "{error}");
}

/// An archive as `PyTorch` writes it, with these entries in its folder.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(format!("gcn_right/{name}"), FileOptions::default()).expect("an entry");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

/// A call of `_rebuild_tensor_v2` on the storage `0` of four numbers, with `what` for offset, shape and strides.
fn tensor(what: &str) -> String {
    let storage = "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ";
    format!("ctorch._utils\n_rebuild_tensor_v2\n({storage}{what}I00\nNtR")
}

/// A state with one value of this name.
fn one(name: &str, value: &str) -> Vec<u8> {
    format!("ccollections\nOrderedDict\n)RS'{name}'\n{value}s.").into_bytes()
}

/// Four numbers in the storage `0`, and this pickle.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    archive(&[("data.pkl", pickle), ("data/0", &numbers)])
}

#[test]
fn tensors_that_lie_are_refused() {
    let read = |what: &str| state(&with_pickle(&one("a", &tensor(what))));
    let values = |what: &str| match &read(what).expect("sound")["a"] {
        TorchValue::Dense(tensor) => (tensor.shape.clone(), tensor.values.clone()),
        TorchValue::Sparse { .. } => panic!("dense"),
    };
    assert_eq!(values("I0\n(I4\nt(I1\nt"), (vec![4], vec![1.0, 2.0, 3.0, 4.0]), "as they lie");
    assert_eq!(values("I1\n(I2\nI1\nt(I2\nI-0\nt"), (vec![2, 1], vec![2.0, 4.0]), "every second from the second");
    assert_eq!(values("I3\n(I1\nt(I9223372036854775807\nt"), (vec![1], vec![4.0]), "an axis that is not walked");
    assert_eq!(values("I99\n(I0\nt(I1\nt"), (vec![0], vec![]), "nothing, of nowhere");
    for (what, words) in [
        ("I1\n(I4\nt(I1\nt", "beyond its storage"),
        ("I0\n(I4\nt(I2\nt", "beyond its storage"),
        ("I4\n(t(t", "beyond its storage"),
        ("I9223372036854775807\n(I2\nt(I9223372036854775807\nt", "beyond its storage"),
        ("I-1\n(I2\nt(I1\nt", "arguments it never has"),
        ("I0\n(I-2\nt(I1\nt", "sound shape"),
        ("I0\n(I2\nt(I-1\nt", "sound shape"),
        ("I0\n(I2\nI2\nt(I1\nt", "number of strides"),
        ("I0\n(I1000000\nI1000000\nt(I0\nI0\nt", "numbers in its tensors"),
        ("I0\n(I4294967296\nI4294967296\nt(I0\nI0\nt", "numbers in its tensors"),
        ("I0\n(I1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nt(t", "axes"),
    ] {
        let error = read(what).expect_err("refused");
        assert!(error.contains(words), "{what:?}: {error}");
    }
    // Sixteen tensors of 2^21 numbers each, all of one number.
    let many = (0..16).map(|i| format!("S'{i}'\n{}s", tensor("I0\n(I2097152\nt(I0\nt"))).collect::<String>();
    let error = state(&with_pickle(format!("}}{many}.").as_bytes())).expect_err("too many in all");
    assert!(error.contains("numbers in its tensors"), "{error}");

    let sound = one("a", &tensor("I0\n(I4\nt(I1\nt"));
    for (entries, words) in [
        (vec![("data.pkl", &sound[..])], "no storage `0`"),
        (vec![("data.pkl", &sound[..]), ("data/0", &[0; 12])], "12 bytes that claims 4 numbers"),
        (vec![("data.pkl", &sound[..]), ("data/0", &[0; 16]), ("byteorder", b"big")], "most significant byte first"),
        (vec![("data.pickle", &sound[..]), ("data/0", &[0; 16])], "without `data.pkl`"),
    ] {
        let error = state(&archive(&entries)).expect_err("refused");
        assert!(error.contains(words), "{words}: {error}");
    }
    let bomb = vec![0; usize::try_from(FILE_BYTES).expect("64-bit") + 1];
    let error = state(&archive(&[("data.pkl", &sound), ("data/1", &bomb)])).expect_err("too large");
    assert!(error.contains("more than 64 MiB"), "{error}");
}

#[test]
fn nothing_foreign_is_called() {
    let read = |pickle: &[u8]| state(&with_pickle(pickle)).expect_err("refused");
    for (pickle, words) in [
        (&b"cos\nsystem\n(S'touch x'\ntR."[..], "asks for `os.system`"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x07touch x\x85R.", "asks for `os.system`"),
        (b"(S'1'\ni__builtin__\neval\n.", "asks for `__builtin__.eval`"),
        (b"ctorch\nload\n(S'x'\ntR.", "asks for `torch.load`"),
        (b"ctorch._utils\n_rebuild_tensor\n.", "asks for `torch._utils._rebuild_tensor`"),
        (b"cnumpy.core.multiarray\n_reconstruct\n.", "asks for `numpy.core.multiarray._reconstruct`"),
        (b"ctorch\nHalfStorage\n.", "asks for `torch.HalfStorage`"),
        (b"Pfile:///etc/passwd\n.", "persistent identifier"),
        (b"(S'module'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ.", "persistent identifier"),
        (b"(S'storage'\nccollections\nOrderedDict\nS'0'\nS'cpu'\nI4\ntQ.", "persistent identifier"),
        (b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI-4\ntQ.", "persistent identifier"),
        (b"ctorch.serialization\n_get_layout\n(S'torch.strided'\ntR.", "arguments it never has"),
        (b"ctorch\nFloatStorage\n)R.", "arguments it never has"),
        (b"]I1\na.", "holds a list"),
        (b"}S'a'\nI1\ns.", "has a whole number as `a`"),
        (b"}I1\nI1\ns.", "without a name"),
        (b"}S'a'\nI1\n", "ends too early"),
    ] {
        let error = read(pickle);
        assert!(error.contains(words), "{}: {error}", pickle.escape_ascii());
    }
    // The lists are kept apart: a hand model may not ask for tensors.
    let error = Pickle::parse(b"ctorch\nSize\n.").expect_err("refused").to_string();
    assert!(error.contains("asks for `torch.Size`"), "{error}");
}

#[test]
fn a_file_that_is_cut_or_changed_is_refused_or_read_and_nothing_else() {
    let model = model();
    for cut in (0..NETWORK.len()).step_by(97) {
        let error = HandRegressor::from_pth(&NETWORK[..cut], path(), &model).expect_err("cut");
        assert!(matches!(error, RegressorError::UnusablePth { .. }), "{cut} bytes: {error}");
    }
    // Every byte of the pickle in turn: most are refused, some only rename a layer; none panics.
    let (pickle, storages) = unpack(NETWORK).expect("sound");
    let mut refused = 0;
    for at in 0..pickle.len() {
        let mut bytes = pickle.clone();
        bytes[at] ^= 0x15;
        let read = Pickle::parse_torch(&bytes).map_err(|e| e.to_string()).and_then(|pickle| {
            pickle.torch_state(&|key| storages.get(key).map(Vec::as_slice)).map_err(|e| e.to_string())
        });
        refused += usize::from(read.and_then(tensors).and_then(|tensors| Network::new(&tensors)).is_err());
    }
    assert!(refused > pickle.len() / 2, "{refused} of {} are refused", pickle.len());
}

#[test]
fn states_of_other_networks_are_refused() {
    let change = |change: &dyn Fn(&mut BTreeMap<String, TorchValue>)| {
        let mut state = state(NETWORK).expect("sound");
        change(&mut state);
        tensors(state).and_then(|tensors| Network::new(&tensors)).expect_err("refused")
    };
    let dense = |state: &mut BTreeMap<String, TorchValue>, name: &str, change: &dyn Fn(&mut TorchTensor)| {
        let Some(TorchValue::Dense(tensor)) = state.get_mut(name) else { panic!("{name} is dense") };
        change(tensor);
    };
    let sparse = |state: &mut BTreeMap<String, TorchValue>, name: &str, first: f32, rows: usize| {
        let Some(TorchValue::Sparse { size, indices, .. }) = state.get_mut(name) else { panic!("{name} is sparse") };
        indices.values[0] = first;
        size[0] = rows;
    };
    let missing = |name: &'static str| change(&|state| drop(state.remove(name)));
    assert!(missing("L_0").contains("no mesh levels"), "no matrices");
    assert!(missing("U_2").contains("no `U_2` from 6 to 12 vertices"), "one matrix is missing");
    assert!(missing("decoder.2.gn2.beta").contains("no `decoder.2.gn2.beta`"), "one layer is missing");
    assert!(change(&|s| sparse(s, "L_1", 0.0, 25)).contains("not square"), "a matrix of odd shape");
    assert!(change(&|s| sparse(s, "L_1", 24.0, 24)).contains("entries outside"), "a row beyond the end");
    assert!(change(&|s| sparse(s, "L_1", -1.0, 24)).contains("entries outside"), "a row before the start");
    assert!(change(&|s| sparse(s, "U_1", 0.5, 24)).contains("entries outside"), "half a row");
    let nan = change(&|s| dense(s, "conv3.w", &|t| t.values[0] = f32::NAN));
    assert!(nan.contains("not finite"), "{nan}");
    let wide = change(&|s| dense(s, "decoder.1.conv.w", &|t| t.shape = vec![2, 4]));
    assert!(wide.contains("decoder.1"), "{wide}");
    let mesh = change(&|s| dense(s, "mean", &|t| (t.shape, t.values) = (vec![1, 23, 3], vec![0.0; 69])));
    assert!(mesh.contains("`mean` and `std` for another mesh"), "{mesh}");
}
