//! MANO files against what smplx computes from them, and against everything that can be wrong with them.
//!
//! The reference files are in `$THENAR_SHARED`, else in `../shared` beside the package; without them those tests say so. Files
//! that are written here (`support/mano_file.rs`) need nothing.

mod common;
#[path = "support/mano_file.rs"]
mod mano_file;
#[path = "support/smplx_lbs.rs"]
mod smplx_lbs;

use common::{call, empty_folder, shared};
use mano_file::ManoFile;
use std::path::{Path, PathBuf};
use thenar::anatomy::Side;
use thenar::capture::Npz;
use thenar::export::{npz, ply};
use thenar::hand::mano::{self, ManoConvention};
use thenar::hand::{HandModel, HandParameters, close_wrist, pose_hand};
use thenar::mesh::Topology;
use thenar::pipeline::RunRecord;

fn fixtures() -> Option<PathBuf> {
    shared("fixtures/mano_format")
}

const FILES: [(&str, Side); 5] = [
    ("chumpy_py2_p2/MANO_RIGHT.pkl", Side::Right),
    ("chumpy_py2_p2/MANO_LEFT.pkl", Side::Left),
    ("chumpy_py2_p0/MANO_RIGHT.pkl", Side::Right),
    ("chumpy_all_py2_p2/MANO_RIGHT.pkl", Side::Right),
    ("numpy_py2_p2/MANO_RIGHT.pkl", Side::Right),
];

fn convention(name: &str) -> ManoConvention {
    ManoConvention::preset(name).expect("a preset")
}

fn load(path: &Path, side: Side, convention: &ManoConvention) -> HandModel {
    mano::load(path, side, convention).unwrap_or_else(|e| panic!("{e}"))
}

/// The reference's arrays.
struct Reference(Npz);

impl Reference {
    fn open(folder: &Path) -> Self {
        Self(Npz::open(&folder.join("reference.npz")).expect("the reference"))
    }

    fn rows(&mut self, key: &str) -> Vec<Vec<f64>> {
        let array = self.0.array(key).unwrap_or_else(|e| panic!("{e}"));
        let row = array.values.len() / array.shape[0];
        array.values.chunks_exact(row).map(<[f64]>::to_vec).collect()
    }

    /// Vertices and joints of each pose.
    fn posed(&mut self, key: &str) -> [Vec<Vec<f64>>; 2] {
        [self.rows(&format!("{key}_verts")), self.rows(&format!("{key}_joints"))]
    }

    /// The parameters of each pose; `pose` makes the whole axis-angle pose.
    fn parameters(&mut self, side: Side, key: &str, pose: impl Fn(&[f64]) -> Vec<f64>) -> Vec<HandParameters> {
        let (orient, hand, betas, transl) =
            (self.rows("global_orient"), self.rows(key), self.rows("betas"), self.rows("transl"));
        let three = |v: &[f64]| [v[0], v[1], v[2]];
        (0..orient.len())
            .map(|i| HandParameters {
                side,
                global_orient: three(&orient[i]),
                transl: three(&transl[i]),
                hand_pose: pose(&hand[i]),
                betas: betas[i].clone(),
                scale: 1.0,
            })
            .collect()
    }
}

/// A way to pose a model: vertices and joints, flat.
type Poser = fn(&HandModel, &HandParameters) -> [Vec<f64>; 2];

fn ours(model: &HandModel, p: &HandParameters) -> [Vec<f64>; 2] {
    let posed = pose_hand(model, p);
    [posed.vertices.as_flattened().to_vec(), posed.joints.as_flattened().to_vec()]
}

fn as_smplx(model: &HandModel, p: &HandParameters) -> [Vec<f64>; 2] {
    smplx_lbs::pose(model, p, smplx_lbs::EPSILON)
}

/// Largest difference of a coordinate between posed hands and the arrays of the reference.
fn worst(poser: Poser, model: &HandModel, parameters: &[HandParameters], reference: &[Vec<Vec<f64>>; 2]) -> f64 {
    let [vertices, joints] = reference;
    assert_eq!((parameters.len(), vertices.len(), joints.len()), (20, 20, 20), "twenty poses");
    let mut worst = 0.0_f64;
    for ((p, v), j) in parameters.iter().zip(vertices).zip(joints) {
        let [posed, posed_joints] = poser(model, p);
        assert_eq!((posed.len(), posed_joints.len()), (v.len(), j.len()), "counts");
        let pairs = posed.iter().zip(v).chain(posed_joints.iter().zip(j));
        worst = pairs.map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
    }
    worst
}

fn single(x: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
    f64::from(x as f32)
}

/// The model as smplx holds it: `to_np` rounds these arrays to single precision, also when it computes in double.
fn rounded(model: &HandModel) -> HandModel {
    let mut m = model.clone();
    m.template.as_flattened_mut().iter_mut().for_each(|x| *x = single(*x));
    m.shape_directions.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|x| *x = single(*x));
    let directions = m.pose_directions.as_mut().expect("MANO has correctives");
    directions.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|x| *x = single(*x));
    m.joint_regressor.iter_mut().flatten().for_each(|(_, x)| *x = single(*x));
    m.skin_weights.as_flattened_mut().iter_mut().for_each(|x| *x = single(*x));
    m
}

/// smplx differs from the model's definition in two ways, each worth some 1e-8 m here: it rounds the file's arrays to single
/// precision ([`rounded`]), and it takes the angle of a rotation vector `v` as `|v + 1e-8|` (`support/smplx_lbs.rs`). With
/// both the reference is met to 1e-9 m; our own skinning, which is the same to 1e-13 without the second
/// (`our_skinning_is_smplx_without_its_epsilon`), stays within 5e-8 m of it.
fn assert_reproduces(name: &str, model: &HandModel, parameters: &[HandParameters], reference: &[Vec<Vec<f64>>; 2]) {
    let smplx = worst(as_smplx, &rounded(model), parameters, reference);
    assert!(smplx < 1e-9, "{name}: {smplx} m in smplx's way");
    let exact = worst(ours, model, parameters, reference);
    assert!(exact < 5e-8, "{name}: {exact} m");
}

#[test]
fn files_reproduce_the_reference() {
    let Some(folder) = fixtures() else { return };
    let mut reference = Reference::open(&folder);
    for (file, side) in FILES {
        let upper = side.name().to_uppercase();
        for flat in [false, true] {
            let convention = ManoConvention { flat_hand_mean: flat, ..convention("smplx") };
            let model = load(&folder.join(file), side, &convention);
            assert_eq!(model.side, side, "{file}: side");
            let offset = model.pose_offset();
            let parameters =
                reference.parameters(side, "hand_pose", |p| p.iter().zip(&offset).map(|(a, b)| a + b).collect());
            let key = format!("{upper}_flat{}", u8::from(flat));
            let arrays = reference.posed(&format!("{key}_f64"));
            assert_reproduces(&format!("{file}, flat {flat}"), &model, &parameters, &arrays);
            let single = worst(ours, &model, &parameters, &reference.posed(&format!("{key}_f32")));
            assert!(single < 1e-5, "{file}, flat {flat}, single precision: {single} m");
        }
        let model = load(&folder.join(file), side, &convention("smplx"));
        for components in [6, 12] {
            let parameters = reference.parameters(side, "pca_pose", |p| model.pose_from_pca(&p[..components]));
            let arrays = reference.posed(&format!("{upper}_pca{components}_f64"));
            assert_reproduces(&format!("{file}, {components} components"), &model, &parameters, &arrays);
        }
    }
}

#[test]
fn our_skinning_is_smplx_without_its_epsilon() {
    let Some(folder) = fixtures() else { return };
    let mut reference = Reference::open(&folder);
    for (file, side) in FILES {
        let model = load(&folder.join(file), side, &convention("manopth"));
        for p in reference.parameters(side, "hand_pose", <[f64]>::to_vec) {
            let (a, b) = (ours(&model, &p), smplx_lbs::pose(&model, &p, 0.0));
            let difference = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(difference < 1e-13, "{file}: {difference} m");
        }
    }
}

#[test]
fn the_reference_test_notices_a_wrong_mean_and_a_wrong_number() {
    let Some(folder) = fixtures() else { return };
    let mut reference = Reference::open(&folder);
    let path = folder.join(FILES[0].0);
    let mut model = rounded(&load(&path, Side::Right, &convention("smplx")));
    let without_mean = reference.parameters(Side::Right, "hand_pose", <[f64]>::to_vec);
    let (with, without) = (reference.posed("RIGHT_flat0_f64"), reference.posed("RIGHT_flat1_f64"));
    assert!(worst(as_smplx, &model, &without_mean, &with) > 1e-3, "the mean matters");
    assert!(worst(as_smplx, &model, &without_mean, &without) < 1e-9, "without it the other arrays fit");
    let directions = model.pose_directions.as_mut().expect("MANO has correctives");
    directions[700][1][134] += 1e-6;
    assert!(worst(as_smplx, &model, &without_mean, &without) > 1e-9, "one corrective is off by 1e-6");
}

#[test]
fn the_models_are_whole() {
    let Some(folder) = fixtures() else { return };
    for (file, side) in FILES {
        let model = load(&folder.join(file), side, &convention("fmhr"));
        assert_eq!((model.template.len(), model.faces.len()), (778, 1538), "{file}: counts");
        // A surface with one opening: V − E + F = 1, so the opening has 2 V − 2 − F edges.
        assert_eq!(model.wrist_loop.len(), 2 * 778 - 2 - 1538, "{file}: the loop at the wrist");
        assert_eq!(model.uv_faces.len(), 1538, "{file}: texture coordinates of our own");
        let closed = Topology::new(779, &close_wrist(&model).faces);
        assert!(closed.is_manifold() && closed.edges.iter().all(|e| e.faces[1].is_some()), "{file}: it can be closed");
        assert!(model.joint_limits.iter().all(|[low, high]| low < high), "{file}: limits");
        assert_eq!(model.hash.len(), 64, "{file}: SHA-256");
        assert_eq!(model.tips[2], if side == Side::Left { 445 } else { 444 }, "{file}: middle tip of manopth");
        let origin = &model.origin;
        assert_eq!(origin.file, folder.join(file).canonicalize().ok(), "{file}: where it was read");
        assert_eq!(origin.convention.name, "fmhr", "{file}: convention");
    }
    // The left file has shape directions of its own: nothing to repair.
    let [left, right] = mano::load_folder(&folder.join("chumpy_py2_p2"), &convention("interhand26m")).expect("both");
    assert!(!left.origin.left_shapedirs_fixed, "not shared, so not turned");
    assert_eq!((left.side, right.side), (Side::Left, Side::Right), "left first");
}

#[test]
fn truncated_files_are_refused_in_one_sentence() {
    let Some(folder) = fixtures() else { return };
    for (file, side) in FILES {
        let bytes = std::fs::read(folder.join(file)).expect("a file");
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            let error = mano::parse("MANO.pkl", cut, side, &convention("thenar")).expect_err("refused").to_string();
            assert!(error.starts_with("MANO.pkl: it "), "{percent} % of {file}: {error}");
            assert!(error.contains("mano.is.tue.mpg.de") && !error.contains('\n'), "{percent} % of {file}: {error}");
        }
    }
}

#[test]
fn a_file_of_our_own_loads_as_pickle_and_as_archive() {
    let folder = empty_folder("mano-own");
    for side in Side::BOTH {
        let file = ManoFile::tube(side);
        let (pickle, archive) = (folder.join(format!("{side}.pkl")), folder.join(format!("{side}.npz")));
        std::fs::write(&pickle, file.pickle()).expect("written");
        std::fs::write(&archive, file.npz()).expect("written");
        let a = load(&pickle, side, &convention("manopth"));
        let b = load(&archive, side, &convention("manopth"));
        assert_eq!(a.template, b.template, "{side}: template");
        assert_eq!(a.pose_directions, b.pose_directions, "{side}: pose correctives");
        assert_eq!(a.joint_regressor, b.joint_regressor, "{side}: regressor");
        assert_eq!(
            (a.faces, a.skin_weights, a.hands_mean),
            (b.faces, b.skin_weights, b.hands_mean),
            "{side}: the rest"
        );
        assert_ne!(a.hash, b.hash, "{side}: another file");
    }
}

#[test]
fn shared_left_shape_directions_are_turned_only_when_asked() {
    let folder = empty_folder("mano-shared");
    for side in Side::BOTH {
        // The tube's directions do not depend on the side, as in the licensed files.
        let name = format!("MANO_{}.pkl", side.name().to_uppercase());
        std::fs::write(folder.join(name), ManoFile::tube(side).pickle()).expect("written");
    }
    let [filed, right] = mano::load_folder(&folder, &convention("dexycb")).expect("both");
    let [turned, _] = mano::load_folder(&folder, &convention("interhand26m")).expect("both");
    assert!(!filed.origin.left_shapedirs_fixed && turned.origin.left_shapedirs_fixed, "what was done is recorded");
    for ((f, t), r) in filed.shape_directions.iter().zip(&turned.shape_directions).zip(&right.shape_directions) {
        assert_eq!(f, r, "as filed: the right hand's");
        assert_eq!(t[0], f[0].map(|x| -x), "x is turned");
        assert_eq!(t[1..], f[1..], "y and z are not");
    }
    let alone = load(&folder.join("MANO_LEFT.pkl"), Side::Left, &convention("interhand26m"));
    assert_eq!(alone.shape_directions, turned.shape_directions, "one file alone finds the other beside it");
    std::fs::remove_file(folder.join("MANO_RIGHT.pkl")).expect("removed");
    let error = mano::load(&folder.join("MANO_LEFT.pkl"), Side::Left, &convention("interhand26m")).expect_err("alone");
    assert!(error.to_string().contains("MANO_RIGHT.pkl: there is no such file"), "{error}");
    load(&folder.join("MANO_LEFT.pkl"), Side::Left, &convention("dexycb"));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    type Change = fn(&mut ManoFile);
    let cases: [(&str, Change); 17] = [
        ("`v_template` has shape [777, 3, 1]", |f| f.set_shape("v_template", &[777, 3, 1])),
        ("no `posedirs`", |f| f.remove("posedirs")),
        ("`posedirs` has shape", |f| f.set_shape("posedirs", &[778, 135, 3])),
        ("`shapedirs` has 9 components", |f| f.set("shapedirs", &[778, 3, 9], vec![0.0; 778 * 27])),
        ("`v_template` has values that are not finite", |f| f.value("v_template")[5] = f64::NAN),
        ("`posedirs` has values that are not finite", |f| f.value("posedirs")[99] = f64::INFINITY),
        ("`v_template` reaches beyond 1 m", |f| f.value("v_template")[5] = 95.0),
        ("`f` has the index 778", |f| f.value("f")[7] = 778.0),
        ("`f` has the index -1", |f| f.value("f")[7] = -1.0),
        ("`f` has the index 0.5", |f| f.value("f")[7] = 0.5),
        ("`f` is no surface", |f| f.value("f").copy_within(0..3, 3)),
        ("`f` has 0 triangles", |f| f.set("f", &[0, 3], vec![])),
        ("`kintree_table` is not MANO's", |f| f.value("kintree_table")[5] = 3.0),
        ("`weights` have rows that do not sum to one", |f| f.value("weights")[0] += 0.1),
        ("`hands_mean` has shape [44]", |f| f.set("hands_mean", &[44], vec![0.0; 44])),
        ("`hands_components` has shape", |f| f.set_shape("hands_components", &[2025])),
        ("`v_template` has 100 vertices", |f| f.set("v_template", &[100, 3], vec![0.0; 300])),
    ];
    for (words, change) in cases {
        let mut file = ManoFile::tube(Side::Right);
        change(&mut file);
        for bytes in [file.pickle(), file.npz()] {
            let result = mano::parse("MANO_RIGHT.pkl", &bytes, Side::Right, &convention("thenar"));
            let error = result.err().unwrap_or_else(|| panic!("{words}: accepted")).to_string();
            assert!(error.starts_with("MANO_RIGHT.pkl: it") && error.contains(words), "`{words}` in: {error}");
        }
    }
    let wrong = ManoConvention { pca_components: 46, ..convention("thenar") };
    let bytes = ManoFile::tube(Side::Right).pickle();
    assert!(mano::parse("x", &bytes, Side::Right, &wrong).is_err(), "46 components");
}

#[test]
fn a_run_keeps_its_model_and_notices_another_one() {
    let Some(_) = common::gpu() else { return };
    let folder = empty_folder("mano-run");
    let (capture, run, models) = (folder.join("scene"), folder.join("run"), folder.join("models"));
    call("synth {} --hands right --views 3 --size 96x80", &[&capture]).expect(0);
    std::fs::create_dir(&models).expect("a folder");
    for side in Side::BOTH {
        let name = format!("MANO_{}.pkl", side.name().to_uppercase());
        std::fs::write(models.join(name), ManoFile::tube(side).pickle()).expect("written");
    }
    let options = "--preset draft --hands right --until fit --hand-convention fmhr --hand-model";
    call(&format!("reconstruct {{}} -o {{}} {options} {{}}"), &[&capture, &run, &models]).expect(0);

    let record = RunRecord::read(&run).expect("run.ron");
    let hand_model = record.hand_model.expect("the model is recorded");
    assert_eq!((record.model.as_str(), hand_model.convention.name.as_str()), ("mano", "fmhr"), "what was asked for");
    let model = load(&models.join("MANO_RIGHT.pkl"), Side::Right, &convention("fmhr"));
    assert_eq!(hand_model.hashes[1], model.hash, "its SHA-256");

    // The parameter file follows the convention, and reads back to the pose that makes the mesh of the run.
    let parameters = npz::read(&run.join("hand_right.npz"), Side::Right).expect("hand_right.npz").0;
    let mesh = ply::read(&run.join("mesh_right.ply")).expect("mesh_right.ply");
    let posed = pose_hand(&model, &parameters);
    let pairs = posed.vertices.as_flattened().iter().zip(mesh.positions.as_flattened());
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(difference < 1e-9, "the mean is added again: {difference} m");
    let mut archive = Npz::open(&run.join("hand_right.npz")).expect("an archive");
    assert_eq!(archive.array("pca").expect("pca").shape, [6], "as many coefficients as fmhr has");
    let filed = archive.array("hand_pose").expect("hand_pose").values;
    for ((f, p), mean) in filed.iter().zip(&parameters.hand_pose).zip(model.hands_mean) {
        assert!((f + mean - p).abs() < 1e-12, "counted from the mean");
    }

    // Its texture coordinates are ours, so that every format comes out, with textures.
    let exported = call("export {} --format glb,obj,ply,npz", &[&run]).expect(0);
    assert!(exported.contains("hand_right.png"), "a texture: {exported}");
    call("render {} --texture 64 --views 0 -o {}", &[&run, &folder.join("textured")]).expect(0);
    assert!(exported.lines().all(|file| Path::new(file).is_file()) && exported.lines().count() >= 4, "{exported}");
    call("evaluate {} --json", &[&run]).expect(0);

    let mut other = ManoFile::tube(Side::Right);
    other.value("hands_mean")[0] += 0.01;
    std::fs::write(models.join("MANO_RIGHT.pkl"), other.pickle()).expect("written");
    call("export {}", &[&run]).refused(3, &["MANO_RIGHT.pkl", "not the file this run was made with"]);
    let resume = "reconstruct {} -o {} --preset draft --until fit --resume";
    call(resume, &[&capture, &run]).refused(3, &["not the file this run was made with"]);
    call(&format!("{resume} --hand-model open"), &[&capture, &run])
        .refused(3, &["other files of the hand model (mano, fmhr)"]);
    std::fs::remove_file(models.join("MANO_RIGHT.pkl")).expect("removed");
    call("render {} -o {}", &[&run, &folder.join("pictures")]).refused(3, &["MANO_RIGHT.pkl"]);
}

#[test]
fn the_command_line_says_what_is_missing_and_writes_nothing() {
    let folder = empty_folder("mano-cli");
    let (run, capture) = (folder.join("run"), folder.join("no-capture"));
    let models = folder.join("models");
    std::fs::create_dir(&models).expect("a folder");
    let reconstruct = "reconstruct {} -o {} --hand-model {}";
    call(reconstruct, &[&capture, &run, &models])
        .refused(3, &["MANO_LEFT.pkl: there is no such file", "https://mano.is.tue.mpg.de"]);
    std::fs::write(models.join("MANO_LEFT.pkl"), ManoFile::tube(Side::Left).pickle()).expect("written");
    std::fs::write(models.join("MANO_RIGHT.pkl"), b"cos\nsystem\n(S'touch owned'\ntR.").expect("written");
    call(reconstruct, &[&capture, &run, &models]).refused(3, &["MANO_RIGHT.pkl: it asks for `os.system`"]);
    assert!(!folder.join("owned").exists() && !Path::new("owned").exists(), "nothing of the file was run");
    call(&format!("{reconstruct} --hand-convention nobody"), &[&capture, &run, &models])
        .refused(2, &["nobody", "interhand26m"]);
    call("reconstruct {} -o {} --hand-convention smplx", &[&capture, &run]).refused(2, &["--hand-model"]);
    let nowhere = folder.join("nowhere");
    let output = common::command("reconstruct {} -o {} --hand-model mano", &[&capture, &run])
        .env("THENAR_MANO", &nowhere)
        .output()
        .expect("the binary starts");
    common::Ended::from(output)
        .refused(3, &["MANO_RIGHT.pkl", &nowhere.display().to_string(), "https://mano.is.tue.mpg.de"]);
    assert!(!run.exists(), "nothing was written");
}

/// The Python package smplx, in an environment that `scripts/check_smplx.py install` makes: too heavy for every machine, so
/// the test says so where it is not there (`REQUIRE_SMPLX=1` makes that an error).
#[test]
fn parameters_go_through_smplx_and_back() {
    let Some(_) = common::gpu() else { return };
    let Some(fixtures) = fixtures() else { return };
    let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
    let environment = std::env::var_os("SMPLX_VENV").map_or_else(|| cache.join("thenar/smplx"), PathBuf::from);
    if !environment.is_dir() {
        assert!(std::env::var_os("REQUIRE_SMPLX").is_none_or(|v| v != "1"), "REQUIRE_SMPLX=1 and no {environment:?}");
        eprintln!("skipped: no smplx ({} is not there; scripts/check_smplx.py install)", environment.display());
        return;
    }
    let folder = empty_folder("smplx");
    let models = folder.join("models");
    std::fs::create_dir(&models).expect("a folder");
    // smplx reads files without chumpy only; the left one is for us alone.
    std::fs::copy(fixtures.join("numpy_py2_p2/MANO_RIGHT.pkl"), models.join("MANO_RIGHT.pkl")).expect("a copy");
    std::fs::copy(fixtures.join("chumpy_py2_p2/MANO_LEFT.pkl"), models.join("MANO_LEFT.pkl")).expect("a copy");
    let (capture, poses) = (folder.join("scene"), folder.join("poses.npz"));
    call("synth {} --hands right --views 4 --size 192x160", &[&capture]).expect(0);
    let smplx = |arguments: &[&Path], command: &str| -> Vec<(String, f64)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_smplx.py");
        let mut python = std::process::Command::new("python3");
        let ended =
            python.arg(script).arg(command).args(arguments).env("SMPLX_VENV", &environment).output().expect("python3");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let said = String::from_utf8(ended.stdout).expect("text");
        // The package speaks on the same channel.
        let lines = said.lines().filter(|line| line.starts_with('{'));
        lines
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
            .map(|v| (v["what"].as_str().expect("a name").to_owned(), v["most_m"].as_f64().expect("metres")))
            .collect()
    };
    for convention in ["thenar", "smplx"] {
        let run = folder.join(convention);
        let options = "--preset draft --progress none --hands right --until fit --set fit.fit_scale=true";
        let line = format!("reconstruct {{}} -o {{}} {options} --hand-convention {convention} --hand-model {{}}");
        call(&line, &[&capture, &run, &models]).expect(0);
        call("export {} --format json", &[&run]).expect(0);
        let found = smplx(&[&run, &models], "there");
        let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["npz", "json: smplx", "json: interhand", "json: easymocap"], "all of them");
        assert!(found.iter().all(|(_, most)| *most < 1e-5), "{convention}: {found:?}");
        smplx(&[&poses], "poses");
        let moved = folder.join(format!("{convention}-moved"));
        call("repose {} --pose {} -o {} --side right --format ply", &[&run, &poses, &moved]).expect(0);
        let found = smplx(&[&run, &models, &poses, &moved], "back");
        assert!(found.len() == 1 && found[0].1 < 1e-5, "{convention}: {found:?}");
        // Negative: other poses are found to be others.
        std::fs::copy(moved.join("hand_right_0000.ply"), moved.join("hand_right_0001.ply")).expect("a copy");
        assert!(smplx(&[&run, &models, &poses, &moved], "back")[0].1 > 1e-3, "the check sees another pose");
    }
}
