"""Pose correctives: 135 columns (R - I of joints 1 to 15, row-major) fitted to soft-tissue targets of sampled poses.

Linear blend skinning makes bent fingers lose volume and knuckles collapse. For each sampled pose `elastic.SoftHand` gives
a target surface; the part that skinning misses is regressed on the pose feature, vertex by vertex, by ridge regression in
posed space. A vertex hears only joints of its own finger (palm: of the nearest fingers) that are near, so columns are
sparse; they vanish at the rest pose by construction, and are zero at the tips, on the nails' end and at the wrist.
"""
import multiprocessing

import numpy as np

from .elastic import SoftHand

PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
ROOTS = [1, 4, 7, 10, 13]  # index, middle, pinky, ring, thumb
TIP_OF_ROOT = {1: 1, 4: 2, 7: 4, 10: 3, 13: 0}  # row of the tip in thumb, index, middle, ring, pinky
SEED = 20241124
REACH, THUMB_REACH = 0.025, 0.036  # a vertex hears joints (the thumb's root) nearer than this, metres
STRUCTURED = 17  # poses of one kind of joint, fists and hooks, before the random ones
FADE = 0.015  # the last part of the reach, over which hearing fades out
RIDGE = 5e-4


def rotation(v):
    a = np.linalg.norm(v)
    if a < 1e-12:
        return np.eye(3)
    x, y, z = np.asarray(v) / a
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * (k @ k)


def frames(pose, joints):
    """Local rotations, world rotations and offsets of the 16 joints of a pose (15, 3)."""
    local = np.concatenate([np.eye(3)[None], [rotation(p) for p in pose]])
    rot, pos = local.copy(), joints.copy()
    for j in range(1, 16):
        p = PARENTS[j]
        rot[j] = rot[p] @ local[j]
        pos[j] = pos[p] + rot[p] @ (joints[j] - joints[p])
    return local, rot, pos - np.einsum("jab,jb->ja", rot, joints)


def skin(v, weights, rot, offset):
    return np.einsum("nj,nja->na", weights, np.einsum("jab,nb->nja", rot, v) + offset)


def feature(local):
    return (local[1:] - np.eye(3)).reshape(-1)


def sample_poses(thumb_axes, limits, count, seed=SEED):
    """Structured poses (one kind of joint at a time, fists, hooks), then seeded random ones inside the joint limits."""
    rng = np.random.default_rng(seed)
    tf, ta = thumb_axes
    lim = limits.reshape(15, 3, 2)
    out = []

    def pose(angles, sideways=(0, 0, 0, 0), thumb=(0, 0, 0, 0)):
        p = np.zeros((15, 3))
        for f in range(4):
            p[3 * f : 3 * f + 3, 2] = angles
            p[3 * f, 1] = sideways[f]
        p[12] = thumb[0] * tf + thumb[1] * ta
        p[13], p[14] = thumb[2] * tf, thumb[3] * tf
        return p

    for a in (0.5, 1.0, 1.5708):
        for k in range(3):
            angles = np.zeros(3)
            angles[k] = min(a, (1.5708, 1.5708, 1.4)[k])
            thumb = np.zeros(4)
            thumb[(0, 2, 3)[k]] = (0.4, 0.9, 1.2)[k] * a / 1.5708
            out.append(pose(angles, thumb=thumb))
    for angles in ((1.5708, 1.5708, 1.2), (0.0, 1.7, 1.2), (1.5708, 0.4, 0.2), (0.5, 0.8, 0.5), (-0.4, 0, 0), (1.2, 1.8, 1.0)):
        out.append(pose(angles, thumb=(0.3, -0.5, 0.6, 0.8)))
    for s in (-1, 1):
        out.append(pose((0, 0, 0), sideways=(0.3 * s, -0.2 * s, 0.3 * s, -0.2 * s), thumb=(0, 0.5 * s, 0, 0)))
    assert len(out) == STRUCTURED
    while len(out) < count:
        p = np.zeros((15, 3))
        for f in range(4):
            p[3 * f] = (0.5 * rng.uniform(*lim[3 * f, 0]), rng.uniform(*lim[3 * f, 1]), rng.uniform(-0.4, 1.6))
            p[3 * f + 1] = (0, 0, rng.uniform(-0.05, 1.9))
            p[3 * f + 2] = (0, 0, rng.uniform(-0.15, 1.45))
            if rng.random() < 0.3:
                p[3 * f + rng.integers(3)] = 0
        p[12] = rng.uniform(-0.4, 0.6) * tf + rng.uniform(-0.7, 0.5) * ta
        p[13], p[14] = rng.uniform(-0.1, 1.0) * tf, rng.uniform(-0.2, 1.35) * tf
        out.append(p)
    return np.array(out)


def fingers_of(weights):
    """0 for the palm, else the root joint of the finger that carries most of a vertex."""
    share = np.stack([weights[:, r : r + 3].sum(1) for r in ROOTS], 1)
    return np.where(share.max(1) > 0.5, np.array(ROOTS)[share.argmax(1)], 0)


def soft_hand(v, f, loop, weights, joints, tips, **options):
    finger = fingers_of(weights)
    bones = []
    for r in ROOTS:
        tip = v[tips[TIP_OF_ROOT[r]]]
        ends = [joints[r], joints[r + 1], joints[r + 2], joints[r + 2] + 0.75 * (tip - joints[r + 2])]
        for k in range(3):
            a, b = ends[k], ends[k + 1]
            bones.append((r + k, a + (0.15 if r + k == 13 else 0.22) * (b - a), b, r))
        if r != 13:
            bones.append((0, joints[0] + 0.3 * (joints[r] - joints[0]), joints[r], 0))
    return SoftHand(v, f, loop, weights, finger, bones, weights[:, 1:].sum(1) > 0.02, **options)


def solve_one(pose):
    soft, joints = SHARED
    _, rot, offset = frames(pose, joints)
    return soft.pose(rot, offset)


SHARED = ()


def targets_of(soft, poses, joints, processes=2):
    """Soft-tissue surfaces of the poses; each pose is independent, so the number of processes changes nothing."""
    global SHARED
    SHARED = (soft, joints)  # forked children see it
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        done = pool.map(solve_one, list(poses), chunksize=1)
    return np.array([x for x, _, _ in done]), done[0][1], max(c for _, _, c in done)


def heard(v, weights, joints):
    """How much each vertex hears each joint, 0 to 1 (V, 16): its own finger's joints and, in the palm, the roots of all
    fingers, fading out with the distance."""
    d = np.linalg.norm(v[:, None] - joints[None], axis=2)
    reach = np.full(16, REACH)
    reach[13] = THUMB_REACH
    near = smooth_step((reach - d) / FADE)
    mine = {r: smooth_step((weights[:, r : r + 3].sum(1) - 0.25) / 0.5) for r in ROOTS}
    palm = 1 - np.max(list(mine.values()), 0)
    member = np.zeros((len(v), 16))
    for r in ROOTS:
        for k in range(3):
            member[:, r + k] = np.maximum(mine[r] + (palm if k == 0 else 0), smooth_step(weights[:, r + k] / 0.1))
    return near * np.minimum(member, 1)


def smooth_step(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def fade(v, joints, tips, loop):
    """1 on the hand, 0 at the tips and at the wrist loop."""
    tip = smooth_step((np.linalg.norm(v[:, None] - v[tips][None], axis=2).min(1) - 0.003) / 0.009)
    wrist = smooth_step((joints[0, 0] - 0.01 - v[:, 0]) / 0.02)
    wrist[loop] = 0
    tip[tips] = 0
    return tip * wrist


def fit(v, weights, joints, poses, targets, ok, factor):
    """posedirs (V, 3, 135)."""
    hear = heard(v, weights, joints)
    f = np.array([feature(frames(p, joints)[0]) for p in poses])
    blend, miss = [], []
    for p, x in zip(poses, targets):
        _, rot, offset = frames(p, joints)
        blend.append(np.einsum("nj,jab->nab", weights, rot))
        miss.append(factor[:, None] * (x - skin(v, weights, rot, offset)))
    blend, miss = np.array(blend), np.array(miss)
    out = np.zeros((len(v), 3, 135))
    for n in range(len(v)):
        js = [j for j in range(1, 16) if hear[n, j] > 1e-3]
        if not js or not ok[n] or factor[n] == 0:
            continue
        cols = np.concatenate([np.arange(9 * (j - 1), 9 * j) for j in js])
        gain = np.repeat(hear[n, js], 9)
        a = np.einsum("sab,sc->sabc", blend[:, n], f[:, cols] * gain).reshape(3 * len(poses), -1)  # rows (s, a), columns (b, c)
        x = np.linalg.solve(a.T @ a + RIDGE * len(poses) * np.eye(a.shape[1]), a.T @ miss[:, n].reshape(-1))
        out[n][:, cols] = x.reshape(3, -1) * gain
    return out


def posed(v, weights, joints, posedirs, pose):
    local, rot, offset = frames(pose, joints)
    rest = v if posedirs is None else v + posedirs @ feature(local)
    return skin(rest, weights, rot, offset)


# ------------------------------------------------------------------------------------------------ numbers
def section_area(x, f, point, normal):
    """Area of the plane section of the triangles f (all of one tube): sum of the cut segments' cross products."""
    h = (x - point) @ normal
    total = np.zeros(3)
    for t in f:
        s = h[t] > 0
        if s.all() or not s.any():
            continue
        k = int(np.flatnonzero(s == (s.sum() == 1))[0])  # the corner alone on its side
        a, b, c = t[k], t[(k + 1) % 3], t[(k + 2) % 3]
        p = x[a] + (x[b] - x[a]) * (h[a] / (h[a] - h[b])) - point
        q = x[a] + (x[c] - x[a]) * (h[a] / (h[a] - h[c])) - point
        total += np.cross(p, q) if s[k] else np.cross(q, p)
    return abs(total @ normal) / 2


def tube_faces(v, f, weights, joints, joint, child, half):
    """Faces of the finger within `half` of a joint, along the bone."""
    root = next(r for r in ROOTS if r <= joint < r + 3)
    axis = joints[child] - joints[joint]
    axis = axis / np.linalg.norm(axis)
    s = (v - joints[joint]) @ axis
    own = weights[:, root : root + 3].sum(1) > 0.5
    keep = own & (np.abs(s) < half)
    return f[keep[f].all(1)], axis


def tube_volume(x, f):
    """Volume of a piece of skin whose boundary loops are closed by fans."""
    half = {(int(t[k]), int(t[(k + 1) % 3])) for t in f for k in range(3)}
    nxt = {b: a for a, b in half if (b, a) not in half}  # the missing half-edges, head to tail
    vol = np.einsum("ij,ij->", x[f[:, 0]], np.cross(x[f[:, 1]], x[f[:, 2]]))
    while nxt:
        start = min(nxt)
        loop, cur = [start], nxt.pop(start)
        while cur != start:
            loop.append(cur)
            cur = nxt.pop(cur)
        c = x[loop].mean(0)
        vol += sum(np.cross(x[a], x[b]) @ c for a, b in zip(loop, loop[1:] + loop[:1]))
    return vol / 6


def bend_numbers(v, f, weights, joints, posedirs, joint, angle=np.pi / 2):
    """(volume of the 24 mm around a bent joint, section through the bisector) of a pose, relative to rest."""
    child = joint + 1
    tube, axis = tube_faces(v, f, weights, joints, joint, child, 0.012)
    p = np.zeros((15, 3))
    p[joint - 1, 2] = angle
    x = posed(v, weights, joints, posedirs, p)
    half = rotation([0, 0, angle / 2]) @ axis
    return (tube_volume(x, tube) / tube_volume(v, tube),
            section_area(x, tube, joints[joint], half) / section_area(v, tube, joints[joint], axis))


def facts(v, f, weights, joints, posedirs, soft, thumb_axes, limits, factor):
    """Numbers for the record: volumes and sections of bent joints without and with correctives, and the error on poses
    that the fit has not seen."""
    out = {"poses": None, "at_90_degrees": {}}
    for name, joint in (("index PIP", 2), ("middle PIP", 5), ("ring PIP", 11), ("pinky PIP", 8), ("index DIP", 3), ("middle DIP", 6)):
        a, b = (bend_numbers(v, f, weights, joints, p, joint) for p in (None, posedirs))
        out["at_90_degrees"][name] = {"volume": [round(float(a[0]), 3), round(float(b[0]), 3)],
                                      "section": [round(float(a[1]), 3), round(float(b[1]), 3)]}
    fresh = sample_poses(thumb_axes, limits, STRUCTURED + 12, SEED + 1)[STRUCTURED:]
    plain, mended = [], []
    moved = (factor > 0) & (weights[:, 1:].sum(1) > 0.02)
    aims, ok, _ = targets_of(soft, fresh, joints)
    for p, aim in zip(fresh, aims):
        for errors, dirs in ((plain, None), (mended, posedirs)):
            errors.append(np.linalg.norm(posed(v, weights, joints, dirs, p) - aim, axis=1)[moved & ok])
    rms = lambda e: round(1e3 * float(np.sqrt((np.concatenate(e) ** 2).mean())), 3)
    out["poses"] = {"fresh": len(fresh), "rms_mm_without": rms(plain), "rms_mm_with": rms(mended)}
    out["columns_per_vertex"] = round(float((np.abs(posedirs) > 0).any(1).sum(1).mean()), 1)
    return out
