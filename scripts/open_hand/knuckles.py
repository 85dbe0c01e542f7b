"""Metacarpophalangeal joints where people have them, and skin weights to match.

MakeHuman puts the first joint of a finger at the web, where the finger leaves the palm, and weights the skin for that. In
people the web reaches to about the middle of the proximal phalanx: the bones from knuckle to middle joint measure 39.8,
44.6, 41.4 and 32.7 mm (index to little finger; Buryanov and Kotiuk 2010, Proportions of hand segments, Int. J. Morphol.
28:755), MakeHuman's 24, 34, 29 and 22. So the joints are set back, and the palm's skin about them gets weights of its own.
"""
import numpy as np

PHALANX = {"index": 0.0398, "middle": 0.0446, "ring": 0.0414, "pinky": 0.0327}  # metres, of a hand of HAND_LENGTH
HALF = 0.009  # the weight rises from 0 to 1 within this far behind and before the joint, metres
SIDE = 0.0065  # width of a ray's territory across the palm, metres
SMOOTHING = 3


def unit(a):
    return a / np.linalg.norm(a, axis=-1, keepdims=True)


def set_back(joints, index, scale):
    """First finger joints moved towards the wrist until the mean proximal phalanx has its length. `joints` (S, J, 3),
    mean first; `index` (name -> row of its first joint). The step is linear in a sample's joints, with the mean's factors."""
    out = joints.copy()
    for name, length in PHALANX.items():
        k = index[name]
        bone, palm = joints[:, k + 1] - joints[:, k], joints[:, 0] - joints[:, k]
        have, need = np.linalg.norm(bone[0]), length / scale
        back = palm / np.linalg.norm(palm[0]) - 0.25 * bone / have
        back = back / np.linalg.norm(back[0])
        b = bone[0] @ back[0]  # |bone - t back| = need, on the mean
        out[:, k] = joints[:, k] + (b + np.sqrt(b * b + need * need - have * have)) * back
    return out


def weights_about(v, quads, weights, joints, first, index, up):
    """Skin weights with the palm's skin shared between the wrist and the proximal phalanges (mean shape `v`)."""
    names = list(PHALANX)
    roots = [first[n] for n in names]
    pool = weights[:, 0] + weights[:, roots].sum(1)
    old = np.stack([weights[:, r : r + 3].sum(1) for r in roots], 1)
    own = old.sum(1)
    along, across = [], []
    for n in names:
        j = joints[index[n]]
        d = joints[index[n] + 1] - j
        d = unit(d - up * (d @ up))
        side = np.cross(d, up)
        along.append((v - j) @ d), across.append((v - j) @ side)
    along, across = np.stack(along, 1), np.stack(across, 1)
    near = np.exp(-((across / SIDE) ** 2) / 2) + 1e-12
    near /= near.sum(1, keepdims=True)
    share = own[:, None] * (old / np.maximum(own, 1e-9)[:, None]) + (1 - own)[:, None] * near
    x = np.clip((along + HALF) / (2 * HALF), 0, 1)
    rise = x * x * (3 - 2 * x)
    # the palm's edges beyond the rays (hypothenar, thumb's web) stay with the wrist
    beyond = np.clip((np.abs(across).min(1) - 0.009) / 0.008, 0, 1)
    part = share * rise * (1 - beyond * (1 - own))[:, None]
    out = weights.copy()
    out[:, roots] = pool[:, None] * part
    out[:, 0] = pool * (1 - part.sum(1))
    ring = [set() for _ in v]
    for q in quads:
        for k in range(4):
            ring[q[k]] |= {q[(k + 1) % 4], q[(k + 3) % 4]}
    moved = np.flatnonzero(np.abs(out - weights).max(1) > 1e-6)
    for _ in range(SMOOTHING):
        mean = np.array([out[sorted(r)].mean(0) for r in ring])
        out[moved] = 0.5 * out[moved] + 0.5 * mean[moved]
    return out
