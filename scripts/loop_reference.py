#!/usr/bin/env python3
"""Makes tests/data/loop_reference.npz: two meshes and their Loop subdivisions by two published implementations.

    python3 -m venv v && v/bin/pip install libigl==2.6.3 trimesh==5.2.0 networkx scipy && v/bin/python scripts/loop_reference.py

- `igl` (libigl `igl.loop`) uses Warren's weights at interior vertices, as the program does: levels 1 and 2 must be equal.
- `trimesh` (`trimesh.remesh.subdivide_loop`) uses Loop's own weights: equal at level 1 but for interior vertices whose
  valence is neither 3 nor 6, and for boundary vertices with a neighbour on the boundary across an inner edge.

`closed`: an octahedron refined once by midpoints with every second face split at its centre (valences 3 to 12), shaken.
`open`: a grid with a hole, a corner of one triangle and alternating diagonals, shaken. Vertex order differs between the
programs; the test matches by position.
"""

from pathlib import Path

import igl
import numpy as np
import trimesh

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "loop_reference.npz"


def midpoints(v, f):
    v, new, known = list(map(np.asarray, v)), [], {}

    def middle(a, b):
        key = (min(a, b), max(a, b))
        if key not in known:
            known[key] = len(v)
            v.append((v[a] + v[b]) / 2)
        return known[key]

    for a, b, c in f:
        d, e, g = middle(a, b), middle(b, c), middle(c, a)
        new += [[a, d, g], [d, b, e], [g, e, c], [d, e, g]]
    return np.array(v), np.array(new)


def closed():
    v = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    f = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    v, f = midpoints(v, f)
    v, out = list(v), []
    for i, (a, b, c) in enumerate(f):
        if i % 2:
            out.append([a, b, c])
        else:
            v.append((v[a] + v[b] + v[c]) / 3)
            m = len(v) - 1
            out += [[a, b, m], [b, c, m], [c, a, m]]
    return np.array(v), np.array(out)


def open_():
    n = 5
    v = np.array([[x, y, 0.3 * np.sin(x + 2 * y)] for y in range(n) for x in range(n)], float)
    f = []
    for y in range(n - 1):
        for x in range(n - 1):
            if (x, y) == (1, 2):
                continue
            i = y * n + x
            a, b, c, d = i, i + 1, i + n + 1, i + n
            f += [[a, b, c], [a, c, d]] if (x + y) % 2 else [[a, b, d], [b, c, d]]
    return v, np.array(f)


def main():
    random = np.random.default_rng(20260101)
    arrays = {}
    for name, (v, f) in {"closed": closed(), "open": open_()}.items():
        v = v + random.uniform(-0.1, 0.1, v.shape)
        arrays[f"{name}_v"], arrays[f"{name}_f"] = v, f.astype(np.uint32)
        for level in (1, 2):
            fine_v, fine_f = igl.loop(v, f, level)
            arrays[f"{name}_igl{level}_v"], arrays[f"{name}_igl{level}_f"] = fine_v, fine_f.astype(np.uint32)
        fine_v, fine_f = trimesh.remesh.subdivide_loop(v, f, iterations=1)
        arrays[f"{name}_trimesh1_v"], arrays[f"{name}_trimesh1_f"] = np.asarray(fine_v), fine_f.astype(np.uint32)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, **arrays)
    print(f"{OUT.name}: {OUT.stat().st_size} bytes;", {k: a.shape for k, a in arrays.items()})


if __name__ == "__main__":
    main()
