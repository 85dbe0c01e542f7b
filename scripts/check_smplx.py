#!/usr/bin/env python3
"""Takes parameters to the Python package smplx and back, and measures how far vertices end up from each other.

    scripts/check_smplx.py install                          a virtual environment with torch and smplx, from PyPI
    scripts/check_smplx.py there RUN MODEL                  our parameters, smplx's vertices
    scripts/check_smplx.py poses OUT.npz                    random poses for `thenar repose RUN --pose OUT.npz --format ply`
    scripts/check_smplx.py back RUN MODEL POSES.npz FOLDER  smplx's vertices of these poses, and the meshes in FOLDER

RUN was made with `--hand-model MODEL --until fit`, and `thenar export RUN --format json` has been called: its meshes are the
model's own. MODEL is a folder with MANO_RIGHT.pkl or MANO_LEFT.pkl that needs no chumpy. One line of JSON a comparison, in
metres. All but `install` and `poses` start themselves again in the environment: `SMPLX_VENV`, else ~/.cache/thenar/smplx.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
VENV = Path(os.environ.get("SMPLX_VENV") or CACHE / "thenar" / "smplx")
PYTHON = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
VERSION = "0.1.28"
# Wheels without CUDA are a tenth of the others; where that index is out of reach PyPI's do as well.
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def install():
    """Several hundred megabytes, which is why nothing but this command does it."""
    venv.create(VENV, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, "torch", "--index-url", CPU_WHEELS], check=False).returncode != 0:
        print("no wheels without CUDA: taking PyPI's", file=sys.stderr)
    subprocess.run([*pip, "torch", f"smplx=={VERSION}", "numpy", "scipy"], check=True)
    subprocess.run([str(PYTHON), "-c", "import smplx, torch; print(torch.__version__)"], check=True)


def in_environment():
    """Goes on in the environment's own interpreter."""
    if not PYTHON.exists():
        sys.exit(f"{VENV} is not there; `{sys.argv[0]} install` makes it")
    if Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def ply_positions(path):
    """Positions of one of our PLY files: binary, doubles first."""
    import numpy as np

    raw = path.read_bytes()
    head, body = raw.split(b"end_header\n", 1)
    kinds = {"double": "<f8", "float": "<f4", "uchar": "u1"}
    count, fields, vertex = 0, [], False
    for line in head.decode().splitlines():
        words = line.split()
        if words[0] == "element":
            vertex = words[1] == "vertex"
            count = int(words[2]) if vertex else count
        elif words[0] == "property" and vertex:
            fields.append((words[2], kinds[words[1]]))
    table = np.frombuffer(body, dtype=np.dtype(fields), count=count)
    return np.stack([table[k].astype(np.float64) for k in "xyz"], axis=1)


def vertices(model, side, betas, global_orient, hand_pose, transl, flat_hand_mean):
    """smplx's vertices (N, V, 3) in double precision."""
    import numpy as np
    import smplx
    import torch

    layer = smplx.MANO(
        model_path=str(model), is_rhand=side == "right", use_pca=False, flat_hand_mean=bool(flat_hand_mean),
        num_pca_comps=45, dtype=torch.float64, batch_size=1,
    )
    rows = [np.atleast_2d(np.asarray(x, dtype=np.float64)) for x in (betas, global_orient, hand_pose, transl)]
    count = max(len(r) for r in rows)
    b, g, h, t = (torch.tensor(np.broadcast_to(r, (count, r.shape[1])).copy()) for r in rows)
    return layer(betas=b, global_orient=g, hand_pose=h, transl=t).vertices.detach().numpy()


def sides(run):
    return [s for s in ("left", "right") if (run / f"hand_{s}.npz").exists()]


def fields(run, side):
    import numpy as np

    return {k: np.asarray(v) for k, v in np.load(run / f"hand_{side}.npz").items()}


def report(what, side, ours, theirs):
    import numpy as np

    apart = np.linalg.norm(np.asarray(ours) - np.asarray(theirs), axis=-1)
    print(json.dumps({"what": what, "side": side, "vertices": int(apart.size), "most_m": float(apart.max()), "mean_m": float(apart.mean())}))


def there(run, model):
    import numpy as np
    from scipy.spatial.transform import Rotation

    for side in sides(run):
        ours = ply_positions(run / f"mesh_{side}.ply")
        f = fields(run, side)
        scale = float(np.ravel(f["scale"])[0])
        # Their model has no scale: ours comes after skinning, before the translation.
        scaled = lambda v, transl: scale * v + np.asarray(transl)
        flat = bool(np.ravel(f["flat_hand_mean"])[0])
        zero = np.zeros(3)
        v = vertices(model, side, f["betas"], f["global_orient"], f["hand_pose"], zero, flat)[0]
        report("npz", side, ours, scaled(v, f["transl"]))
        blocks = json.loads((run / "exports" / f"hand_{side}.json").read_text())
        b = blocks["smplx"]
        v = vertices(model, side, b["betas"], b["global_orient"], b["hand_pose"], zero, b["flat_hand_mean"])[0]
        report("json: smplx", side, ours, scaled(v, b["transl"]))
        b = blocks["interhand"]
        v = vertices(model, side, b["shape"], b["pose"][:3], b["pose"][3:], zero, False)[0]
        report("json: interhand", side, ours, scaled(v, b["trans"]))
        b = blocks["easymocap"]
        v = vertices(model, side, b["shapes"][0], zero, b["poses"][0][3:], zero, False)[0]
        report("json: easymocap", side, ours, scaled(Rotation.from_rotvec(b["Rh"][0]).apply(v), b["Th"][0]))


def poses(out):
    """Written without numpy, so that any Python does: an NPZ is a ZIP of arrays with a header."""
    import random
    import struct
    import zipfile

    random.seed(7)
    frames = 8
    arrays = {"hand_pose": 45, "global_orient": 3, "transl": 3}
    with zipfile.ZipFile(out, "w") as archive:
        for name, width in arrays.items():
            head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({frames}, {width}), }}"
            head += " " * (63 - (10 + len(head)) % 64) + "\n"
            numbers = [random.uniform(-0.8, 0.8) for _ in range(frames * width)]
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(numbers)}d", *numbers))


def back(run, model, sequence, folder):
    import numpy as np

    p = np.load(sequence)
    for side in sides(run):
        f = fields(run, side)
        scale = float(np.ravel(f["scale"])[0])
        # Pose files count from the flat hand.
        theirs = vertices(model, side, f["betas"], p["global_orient"], p["hand_pose"], np.zeros(3), True)
        theirs = scale * theirs + p["transl"][:, None, :]
        ours = [ply_positions(folder / f"hand_{side}_{i:04}.ply") for i in range(len(theirs))]
        report("repose", side, np.stack(ours), theirs)


def main():
    commands = {"install": (install, 0), "there": (there, 2), "poses": (poses, 1), "back": (back, 4)}
    name, *rest = sys.argv[1:] or [""]
    if name not in commands or len(rest) != commands[name][1]:
        sys.exit(__doc__)
    if name in ("there", "back"):
        in_environment()
    commands[name][0](*[Path(r) for r in rest])


if __name__ == "__main__":
    main()
