"""docs/images/open_hand_correctives.jpg: bent fingers without (upper row) and with pose correctives (lower row).

    cd scripts && python3 -m open_hand.figure ../assets/hands/open_right.npz ../docs/images/open_hand_correctives.jpg
"""
import sys

import numpy as np
from PIL import Image, ImageDraw

from . import correctives, picture


def poses():
    one, fist, hook = (np.zeros((15, 3)) for _ in range(3))
    one[1, 2] = np.pi / 2
    for f in range(4):
        fist[3 * f : 3 * f + 3, 2] = (1.5, 1.6, 0.9)
        hook[3 * f : 3 * f + 3, 2] = (0.1, 1.65, 1.0)
    for f in range(1, 4):
        one[3 * f : 3 * f + 3, 2] = (0.1, 0.15, 0.1)
    return one, fist, hook


def loop_subdivide(v, f):
    """One step of Loop subdivision (boundary edges: midpoints, boundary vertices stay)."""
    edges = {}
    for t in f:
        for k in range(3):
            a, b, c = int(t[k]), int(t[(k + 1) % 3]), int(t[(k + 2) % 3])
            edges.setdefault((min(a, b), max(a, b)), []).append(c)
    ids = {e: len(v) + i for i, e in enumerate(edges)}
    new = np.array([0.5 * (v[a] + v[b]) if len(o) == 1 else 0.375 * (v[a] + v[b]) + 0.125 * (v[o[0]] + v[o[1]])
                    for (a, b), o in edges.items()])
    around = [[] for _ in v]
    rim = set()
    for (a, b), o in edges.items():
        around[a].append(b), around[b].append(a)
        if len(o) == 1:
            rim |= {a, b}
    old = v.copy()
    for i, ring in enumerate(around):
        if i not in rim:
            n = len(ring)
            beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / n)) ** 2) / n
            old[i] = (1 - n * beta) * v[i] + beta * v[ring].sum(0)
    out = []
    for a, b, c in f:
        x, y, z = (ids[(min(p, q), max(p, q))] for p, q in ((a, b), (b, c), (c, a)))
        out += [(a, x, z), (x, b, y), (z, y, c), (x, y, z)]
    return np.vstack([old, new]), np.array(out)


def main(source, target):
    hand = np.load(source)
    v, f, w = hand["v_template"].astype(float), hand["f"].astype(int), hand["weights"].astype(float)
    joints = hand["J_regressor"].astype(float) @ v
    dirs = hand["posedirs"].astype(float)
    one, fist, hook = poses()
    panels = [  # pose, view, centre, pixels a metre
        ("index PIP 90", one, picture.view(15, 5), joints[2] + [-0.004, -0.012, 0], 6200),
        ("index PIP 90, from above", one, picture.view(-35, 50), joints[2] + [0, -0.004, 0], 5600),
        ("fist", fist, picture.view(35, 20), [0.03, -0.02, 0.01], 2700),
        ("fist, knuckles", fist, picture.view(70, 30), [0.0, -0.02, 0.002], 3000),
        ("hook", hook, picture.view(20, 10), [-0.005, -0.014, 0.01], 3200),
    ]
    size = (340, 300)
    rows = []
    for title, posedirs in (("linear blend skinning", None), ("with pose correctives", dirs)):
        row = []
        for _, pose, eye, centre, scale in panels:
            x, g = loop_subdivide(correctives.posed(v, w, joints, posedirs, pose), f)
            row.append(picture.supersampled(x, g, eye, np.asarray(centre), scale, size))
        line = Image.fromarray((255 * np.concatenate(row, 1) + 0.5).astype(np.uint8))
        ImageDraw.Draw(line).text((8, 6), title, fill=(40, 40, 40))
        rows.append(np.asarray(line))
    Image.fromarray(np.concatenate(rows, 0)).save(target, quality=88, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
