"""Named shape axes: a rotation of the whitened PCA space.

With scores z ~ N(0, I) of the samples, each named measurement's logarithm has a gradient in z. Axis 0 is the gradient of
the hand length: moving along it gives the population's mean hand of that length (conditional mean). Every further axis is
the gradient of its measurement made orthogonal to the axes before it, so it leaves the earlier measurements alone (to
first order). A rotation keeps sum(beta^2), so the prior of the shape stays the same.
"""
import numpy as np

NAMES = ["size", "finger length", "palm breadth", "finger thickness", "thumb length", "wrist girth", "ring against index",
         "little finger length", "middle finger length", "palm thickness"]
# (first joint, tip's row in thumb, index, middle, ring, pinky)
FINGER = {"index": (1, 1), "middle": (4, 2), "pinky": (7, 4), "ring": (10, 3), "thumb": (13, 0)}


def lengths(joints, tips):
    """Length of each finger from its root joint over the joints to the tip (S,) each."""
    out = {}
    for name, (r, t) in FINGER.items():
        p = np.concatenate([joints[:, r : r + 3], tips[:, t : t + 1]], 1)
        out[name] = np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1)
    return out


def measure(v, joints, tips, weights, loop):
    """Measurements (name -> (S,)) of the samples v (S, V, 3), metres; the mean shape picks the vertices."""
    mean = v.mean(0)
    mj = joints.mean(0)
    finger = lengths(joints, tips)
    palm = np.linalg.norm(joints[:, 4] - joints[:, 0], axis=1)
    knuckles = (weights[:, 13:].sum(1) < 0.05) & (np.abs(mean[:, 0] - 0.5 * (mj[1, 0] + mj[7, 0])) < 0.012)
    order = np.argsort(mean[:, 2] + 1e3 * ~knuckles, kind="stable")
    ulnar, radial = order[:4], np.argsort(-mean[:, 2] + 1e3 * ~knuckles, kind="stable")[:4]
    breadth = v[:, radial, 2].mean(1) - v[:, ulnar, 2].mean(1)
    thick = []
    for r in (1, 4, 7, 10):
        own = np.flatnonzero(weights[:, r : r + 3].sum(1) > 0.95)
        a, b = mj[r + 1], mj[r + 2]
        s = (mean[own] - a) @ (b - a) / ((b - a) @ (b - a))
        own = own[(s > 0.1) & (s < 0.9)]
        a, d = joints[:, r + 1], joints[:, r + 2] - joints[:, r + 1]
        d = d / np.linalg.norm(d, axis=1, keepdims=True)
        q = v[:, own] - a[:, None]
        q = q - np.einsum("snk,sk->sn", q, d)[..., None] * d[:, None]
        thick.append(2 * np.linalg.norm(q, axis=2).mean(1))
    middle = 0.5 * (mj[0] + mj[4])
    near = np.flatnonzero((np.abs(mean[:, 0] - middle[0]) < 0.015) & (np.abs(mean[:, 2] - middle[2]) < 0.015))
    up = near[mean[near, 1] > middle[1]]
    low = near[mean[near, 1] < middle[1]]
    ring = v[:, loop]
    return {
        "hand length": np.linalg.norm(tips[:, 2] - joints[:, 0], axis=1),
        "palm length": palm, "hand breadth": breadth, "finger thickness": np.mean(thick, 0),
        "palm thickness": v[:, up, 1].mean(1) - v[:, low, 1].mean(1),
        "wrist girth": np.linalg.norm(ring - np.roll(ring, -1, axis=1), axis=2).sum(1),
        **{f"{k} length": x for k, x in finger.items()},
    }


def named_axes(scores, m):
    """Rotation (K, K): row k is axis k in the whitened PCA space; also how much of each gradient was left for its axis."""
    log = {k: np.log(x) for k, x in m.items()}
    four = np.mean([log[f"{k} length"] for k in ("index", "middle", "ring", "pinky")], 0)
    targets = [log["hand length"], four - log["palm length"], log["hand breadth"], log["finger thickness"],
               log["thumb length"], log["wrist girth"], log["ring length"] - log["index length"],
               log["pinky length"] - four, log["middle length"] - 0.5 * (log["ring length"] + log["index length"]),
               log["palm thickness"]]
    rows, left = [], []
    for t in targets:
        g = scores.T @ (t - t.mean()) / len(t)
        u = g.copy()
        for _ in range(2):
            for r in rows:
                u = u - (u @ r) * r
        left.append(float(np.linalg.norm(u) / np.linalg.norm(g)))
        rows.append(u / np.linalg.norm(u))
    return np.array(rows), left
