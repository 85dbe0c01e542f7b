#!/usr/bin/env python3
"""Makes the files in this folder: calibrations written by the programs whose formats they have, and projections of known
points computed by those programs, for tests/formats.rs.

    python -m venv venv && venv/bin/pip install pycolmap==4.2.1 opencv-python-headless==5.0.0.93 pyyaml numpy rich appdirs packaging
    venv/bin/pip install --no-deps nerfstudio==1.1.5
    git clone https://github.com/zju3dv/EasyMocap
    venv/bin/python make.py EasyMocap

nerfstudio's converter imports torch and the viewer, which it does not use here: they are replaced by empty modules.
All pixels in projections.json are in this project's convention: the centre of the first pixel is (0.5, 0.5).
"""

import json
import sys
from enum import Enum
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import numpy as np
import pycolmap
import yaml

HERE = Path(__file__).parent
EASYMOCAP = Path(sys.argv[1])
RNG = np.random.default_rng(7)
POINTS = RNG.uniform(-0.12, 0.12, (12, 3)) + [0.05, -0.03, 0.9]
TARGET = np.array([0.05, -0.03, 0.9])
projections = {}


def pose(i, count):
    """camera_from_world of camera i on an arc around the target, and away from it by 0.7 to 1 m."""
    a = -1.2 + 2.4 * i / (count - 1)
    centre = TARGET + (0.7 + 0.3 * i / count) * np.array([np.sin(a), 0.25 * np.cos(3 * a), -np.cos(a)])
    z = TARGET + RNG.normal(0, 0.02, 3) - centre
    z /= np.linalg.norm(z)
    x = np.cross([0.1 * np.sin(i), 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    r = np.stack([x, np.cross(z, x), z])
    return r, -r @ centre


def k_of(i):
    return np.array([[900.0 + 7 * i, 0, 318.3 + i], [0, 905.5 + 6 * i, 243.7 - i], [0, 0, 1]])


def save(case, names, pixels, points=POINTS):
    projections[case] = {"points": np.asarray(points).tolist(), "cameras": {n: np.asarray(p).tolist() for n, p in zip(names, pixels)}}


def cv_project(r, t, k, dist, fisheye=False, points=POINTS):
    rvec = cv2.Rodrigues(r)[0]
    if fisheye:
        px = cv2.fisheye.projectPoints(points[None], rvec, t.reshape(3, 1), k, np.array(dist))[0]
    else:
        px = cv2.projectPoints(points, rvec, t, k, np.array(dist))[0]
    return px.reshape(-1, 2) + 0.5


def folder(name):
    path = HERE / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def colmap(name, models):
    reconstruction = pycolmap.Reconstruction()
    names, pixels = [], []
    for i, (model, extra) in enumerate(models):
        k = k_of(i)
        one = model in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
        params = ([k[0, 0]] if one else [k[0, 0], k[1, 1]]) + [k[0, 2], k[1, 2]] + extra
        camera = pycolmap.Camera(camera_id=i + 1, model=model, width=640, height=480, params=params)
        reconstruction.add_camera_with_trivial_rig(camera)
        r, t = pose(i, len(models))
        image = pycolmap.Image(image_id=i + 1, camera_id=i + 1, name=f"view {i}.png")
        cam_from_world = pycolmap.Rigid3d(pycolmap.Rotation3d(r), t)
        reconstruction.add_image_with_trivial_frame(image, cam_from_world)
        names.append(f"view {i}")
        pixels.append([camera.img_from_cam(r @ p + t) for p in POINTS])
    reconstruction.write_binary(folder(name + "_bin"))
    reconstruction.write_text(folder(name + "_txt"))
    for ending in ("bin", "txt"):
        save(f"{name}_{ending}", names, pixels)
    return names, pixels


ALL = [
    ("SIMPLE_PINHOLE", []), ("PINHOLE", []), ("SIMPLE_RADIAL", [-0.11]), ("RADIAL", [0.13, -0.05]),
    ("OPENCV", [-0.21, 0.07, 0.0013, -0.0021]), ("OPENCV_FISHEYE", [0.04, -0.012, 0.006, -0.002]),
    ("FULL_OPENCV", [0.3, 0.1, 0.001, -0.002, 0.02, 0.25, 0.05, 0.01]),
    ("SIMPLE_RADIAL_FISHEYE", [0.05]), ("RADIAL_FISHEYE", [0.03, 0.01]),
]
colmap("colmap", ALL)

# nerfstudio: its own converter, from a COLMAP model with the models it knows.
for module in ("torch", "requests", "nerfstudio.process_data.process_data_utils", "nerfstudio.utils.colormaps",
               "nerfstudio.utils.rich_utils", "nerfstudio.utils.scripts", "nerfstudio.utils.io"):
    sys.modules.setdefault(module, MagicMock())
sys.modules["nerfstudio.utils"] = MagicMock()
models = {name: name for name in ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE")}
sys.modules["nerfstudio.process_data.process_data_utils"].CameraModel = Enum("CameraModel", models)
from nerfstudio.process_data import colmap_utils  # noqa: E402

colmap_utils.create_ply_from_colmap = MagicMock()  # the points; it needs torch

names, pixels = colmap("for_nerfstudio", ALL[:6])
colmap_utils.colmap_to_json(HERE / "for_nerfstudio_bin", folder("transforms"))
for ending in ("bin", "txt"):
    projections.pop(f"for_nerfstudio_{ending}")
    for file in (HERE / f"for_nerfstudio_{ending}").iterdir():
        file.unlink()
    (HERE / f"for_nerfstudio_{ending}").rmdir()
applied = np.array(json.loads((HERE / "transforms" / "transforms.json").read_text())["applied_transform"])
save("transforms", names, pixels, POINTS @ applied[:, :3].T + applied[:, 3])

# OpenCV's FileStorage, all in one file and one file a camera, YAML and JSON.
DIST = [[-0.2, 0.06, 0.001, -0.002, 0.0], [0.1, -0.03, -0.001, 0.0005, 0.01],
        [0.3, 0.1, 0.001, 0.002, 0.01, 0.2, 0.04, 0.001], [0.04, -0.01, 0.005, -0.001]]
rig = []
for i, dist in enumerate(DIST):
    r, t = pose(i, len(DIST))
    rig.append((f"{i:02}", r, t, k_of(i), dist, len(dist) == 4))
for ending in ("yml", "json"):
    fs = cv2.FileStorage(str(folder(f"opencv_{ending}") / f"calibration.{ending}"), cv2.FILE_STORAGE_WRITE)
    fs.startWriteStruct("cameras", cv2.FileNode_SEQ)
    for name, r, t, k, dist, fisheye in rig:
        fs.startWriteStruct("", cv2.FileNode_MAP)
        fs.write("name", name)
        fs.write("image_width", 640)
        fs.write("image_height", 480)
        fs.write("camera_matrix", k)
        fs.write("distortion_coefficients", np.array(dist).reshape(-1, 1))
        if fisheye:
            fs.write("fisheye", 1)
        fs.write("R", r)
        fs.write("T", t.reshape(3, 1))
        fs.endWriteStruct()
    fs.endWriteStruct()
    fs.release()
    save(f"opencv_{ending}", [c[0] for c in rig], [cv_project(*c[1:]) for c in rig])
for name, r, t, k, dist, _ in rig[:3]:
    fs = cv2.FileStorage(str(folder("opencv_each") / f"{name}.yml"), cv2.FILE_STORAGE_WRITE)
    fs.write("image_width", 640)
    fs.write("image_height", 480)
    fs.write("camera_matrix", k)
    fs.write("distortion_coefficients", np.array(dist).reshape(1, -1))
    fs.write("rvec", cv2.Rodrigues(r)[0])
    fs.write("tvec", 1000 * t.reshape(3, 1))
    fs.release()
save("opencv_each", [c[0] for c in rig[:3]], [cv_project(*c[1:]) for c in rig[:3]])

# The stereo pair of OpenCV's sample.
(_, r1, t1, k1, d1, _), (_, r2, t2, k2, d2, _) = rig[:2]
r21, t21 = r2 @ r1.T, t2 - r2 @ r1.T @ t1
fs = cv2.FileStorage(str(folder("opencv_stereo") / "intrinsics.yml"), cv2.FILE_STORAGE_WRITE)
for key, value in (("M1", k1), ("D1", np.array([d1])), ("M2", k2), ("D2", np.array([d2]))):
    fs.write(key, value)
fs.release()
fs = cv2.FileStorage(str(folder("opencv_stereo") / "extrinsics.yml"), cv2.FILE_STORAGE_WRITE)
fs.write("R", r21)
fs.write("T", t21.reshape(3, 1))
fs.release()
in_first = POINTS @ r1.T + t1
save("opencv_stereo", ["1", "2"], [cv_project(np.eye(3), np.zeros(3), k1, d1, points=in_first), cv_project(r21, t21, k2, d2, points=in_first)], in_first)

# EasyMocap's own writer (six decimals), names that are file names there.
spec = spec_from_file_location("camera_utils", EASYMOCAP / "easymocap" / "mytools" / "camera_utils.py")
camera_utils = module_from_spec(spec)
spec.loader.exec_module(camera_utils)
cameras = {n: {"K": k, "dist": np.array([d[:5]]), "R": r, "T": t.reshape(3, 1), "H": 480, "W": 640} for n, r, t, k, d, f in rig[:2]}
cameras["10"] = {"K": k_of(5), "dist": np.zeros((1, 5)), "R": rig[3][1], "T": rig[3][2].reshape(3, 1), "H": 480, "W": 640}
camera_utils.write_camera(cameras, str(folder("easymocap")))
save("easymocap", list(cameras), [cv_project(c["R"], c["T"], c["K"], c["dist"]) for c in cameras.values()])

# Kalibr writes with PyYAML (aslam_cv_... CameraChainParameters.writeYaml): the same keys, chained poses.
chain, first = {}, None
for i, (n, r, t, k, d, fisheye) in enumerate(rig):
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = r, t
    node = {"cam_overlaps": [j for j in range(len(rig)) if j != i], "camera_model": "pinhole",
            "distortion_coeffs": d[:4], "distortion_model": "equidistant" if fisheye else "radtan",
            "intrinsics": [float(v) for v in (k[0, 0], k[1, 1], k[0, 2], k[1, 2])], "resolution": [640, 480],
            "rostopic": f"/cam{i}/image_raw"}
    if i:
        node["T_cn_cnm1"] = (m @ np.linalg.inv(previous)).tolist()
    else:
        first = m
    previous = m
    chain[f"cam{i}"] = node
(folder("kalibr") / "rig-camchain.yaml").write_text(yaml.dump(chain))
world = POINTS @ first[:3, :3].T + first[:3, 3]
pixels = []
for n, r, t, k, d, fisheye in rig:
    r0 = r @ first[:3, :3].T
    pixels.append(cv_project(r0, t - r0 @ first[:3, 3], k, d[:4], fisheye, world))
save("kalibr", list(chain), pixels, world)

# DeepHandMesh and InterHand2.6M have no writer: their documented layouts, in millimetres.
text = ""
for n, r, t, k, d, _ in rig[:2]:
    rows = [" ".join(repr(float(v)) for v in row) for row in k]
    rows.append(" ".join(repr(float(v)) for v in d))
    rows += [" ".join(repr(float(v)) for v in [*row, 1000 * x]) for row, x in zip(r, t)]
    text += f"4000{n}\n" + "\n".join(rows) + "\n\n"
(folder("deephandmesh") / "KRT_512").write_text(text)
save("deephandmesh", ["4000" + c[0] for c in rig[:2]], [cv_project(*c[1:]) for c in rig[:2]])
capture = {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}
for i, (n, r, t, k, _, _) in enumerate(rig[:3]):
    key = f"40026{i}"
    capture["campos"][key] = (-1000 * r.T @ t).tolist()
    capture["camrot"][key] = r.tolist()
    capture["focal"][key] = [k[0, 0], k[1, 1]]
    capture["princpt"][key] = [k[0, 2], k[1, 2]]
(folder("interhand/annotations/test") / "InterHand2.6M_test_camera.json").write_text(json.dumps({"0": capture}))
save("interhand", [f"cam40026{i}" for i in range(3)], [cv_project(r, t, k, np.zeros(5)) for _, r, t, k, _, _ in rig[:3]])

# Lenses alone: what OpenCV projects, and what it gets back with its iteration run to the end.
lenses = []
grid = np.array([[x, y] for x in np.linspace(-0.6, 0.6, 7) for y in np.linspace(-0.45, 0.45, 5)])
rays = np.c_[grid, np.ones(len(grid))]
for dist in ([-0.28, 0.09, 0.001, -0.002], [0.12, 0.03, -0.002, 0.001, 0.015], [0.4, 0.1, 1e-3, -1e-3, 0.02, 0.3, 0.06, 0.01],
             [-0.1, 0.02, 1e-3, 1e-3, 0.0, 0.01, 0.0, 0.0, 2e-3, -1e-3, 1e-3, 5e-4]):
    bent = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(dist))[0].reshape(-1, 2)
    back = cv2.undistortPointsIter(bent[:, None], np.eye(3), np.array(dist), None, None, (3, 500, 1e-14)) \
        if hasattr(cv2, "undistortPointsIter") else cv2.undistortPoints(bent[:, None], np.eye(3), np.array(dist), criteria=(3, 500, 1e-14))
    lenses.append({"fisheye": False, "coefficients": dist, "rays": grid.tolist(), "distorted": bent.tolist(), "undistorted": back.reshape(-1, 2).tolist()})
for dist in ([0.04, -0.012, 0.006, -0.002], [-0.03, 0.01, -0.004, 0.001]):
    bent = cv2.fisheye.distortPoints(grid[None], np.eye(3), np.array(dist)).reshape(-1, 2)
    back = cv2.fisheye.undistortPoints(bent[None], np.eye(3), np.array(dist), criteria=(3, 500, 1e-14))
    lenses.append({"fisheye": True, "coefficients": dist, "rays": grid.tolist(), "distorted": bent.tolist(), "undistorted": back.reshape(-1, 2).tolist()})
(HERE / "lenses.json").write_text(json.dumps(lenses))
(HERE / "projections.json").write_text(json.dumps(projections))
