"""Soft tissue of the hand: a lattice of tetrahedra inside the skin, moved by rigid bone cores.

The target of a pose is the minimum of  sum_t V_t (mu |F - R|^2 + lam |F - D|^2)  over the free lattice nodes, F being a
tetrahedron's deformation gradient, R its rotation and D the nearest matrix of determinant 1 (tissue keeps its volume).
Nodes in the bones' cores follow the bones exactly. Solved by projective dynamics (Bouaziz et al. 2014): the matrix is
the same for every pose and factorised once; each round projects all tetrahedra, then solves.
"""
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])  # corner c = 4 i + 2 j + k
# A cube in five tetrahedra, mirrored in every other cell so that the diagonals of shared faces agree.
EVEN = [(0, 4, 2, 1), (6, 4, 7, 2), (5, 4, 1, 7), (3, 2, 7, 1), (4, 2, 1, 7)]
ODD = [(4, 0, 6, 5), (2, 0, 3, 6), (1, 0, 5, 3), (7, 6, 5, 3), (0, 6, 5, 3)]


# Matrices are stored (3, 3, T), row, column, tetrahedron, so that each entry is one contiguous array.
def cross(a, b):
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def rotations_of(f, r, rounds):
    """Rotation parts of f, from the start r (Mueller et al. 2016, "A robust method to extract the rotational part")."""
    for _ in range(rounds):
        w = cross(r[:, 0], f[:, 0]) + cross(r[:, 1], f[:, 1]) + cross(r[:, 2], f[:, 2])
        w /= np.abs((r * f).sum((0, 1))) + 1e-9
        a = np.sqrt((w * w).sum(0)) + 1e-30
        s, c = np.sin(a) / a, (1 - np.cos(a)) / (a * a)
        turned = np.empty_like(r)
        for k in range(3):  # Rodrigues on every column
            x = cross(w, r[:, k])
            turned[:, k] = r[:, k] + s * x + c * cross(w, x)
        r = turned
    return r


def unit_volume(f, r):
    """The matrices of determinant 1 near f: two Newton steps; r where f is nearly inverted."""
    d = f
    for turn in range(2):
        c = np.stack([cross(d[:, 1], d[:, 2]), cross(d[:, 2], d[:, 0]), cross(d[:, 0], d[:, 1])], 1)
        det = (d[:, 0] * c[:, 0]).sum(0)
        if turn == 0:
            bad = det < 0.05
        d = d - ((det - 1) / np.maximum((c * c).sum((0, 1)), 0.3)) * c
    d[:, :, bad] = r[:, :, bad]
    return d


def inside_columns(v, f, xs, ys, zs):
    """True for the grid points (xs, ys, zs) inside the closed mesh: parity of the hits along y."""
    hits = [[[] for _ in zs] for _ in xs]
    for t in f:
        p = v[t]
        lo, hi = p.min(0), p.max(0)
        ix = np.flatnonzero((xs >= lo[0]) & (xs <= hi[0]))
        iz = np.flatnonzero((zs >= lo[2]) & (zs <= hi[2]))
        if not len(ix) or not len(iz):
            continue
        a, b = p[1] - p[0], p[2] - p[0]
        det = a[0] * b[2] - a[2] * b[0]
        if abs(det) < 1e-18:
            continue
        qx, qz = xs[ix][:, None] - p[0, 0], zs[iz][None] - p[0, 2]
        s, u = (qx * b[2] - qz * b[0]) / det, (a[0] * qz - a[2] * qx) / det
        for m, n in zip(*np.nonzero((s >= 0) & (u >= 0) & (s + u <= 1))):
            hits[ix[m]][iz[n]].append(p[0, 1] + s[m, n] * a[1] + u[m, n] * b[1])
    out = np.zeros((len(xs), len(ys), len(zs)), bool)
    for i in range(len(xs)):
        for k in range(len(zs)):
            if hits[i][k]:
                out[i, :, k] = (np.array(hits[i][k])[None] > ys[:, None]).sum(1) % 2 == 1
    return out


def split_nodes(cells, label):
    """Node ids of the eight corners of each cell. Cells of two different fingers share no node, unless a chain of cells
    around that node joins them: so fingers that nearly touch are not glued together."""
    at = {tuple(c): i for i, c in enumerate(cells)}
    ids = -np.ones((len(cells), 8), int)
    count = 0
    corners = {}
    for i, c in enumerate(cells):
        for k, d in enumerate(CORNERS):
            corners.setdefault(tuple(c + d), []).append((i, k))
    for node in sorted(corners):
        todo = dict(corners[node])
        while todo:
            stack = [min(todo)]
            while stack:
                i = stack.pop()
                if i not in todo:
                    continue
                ids[i, todo.pop(i)] = count
                for axis in range(3):
                    for s in (-1, 1):
                        n = cells[i].copy()
                        n[axis] += s
                        j = at.get(tuple(n))
                        if j in todo and not (label[i] and label[j] and label[i] != label[j]):
                            stack.append(j)
            count += 1
    return ids, count


class SoftHand:
    """The lattice of a rest mesh. `finger` labels vertices: 0 palm, else a finger; `bones` is a list of
    (joint, start, end): capsules whose core follows the joint."""

    def __init__(self, v, f, loop, weights, finger, bones, near, step=0.003, core=0.3, mu=1.0, lam=60.0):
        self.v, self.mu, self.lam, self.step = v, mu, lam, step
        closed = np.vstack([v, v[loop].mean(0)])
        fan = np.array([[b, a, len(v)] for a, b in zip(loop, np.roll(loop, -1))])
        lo = v.min(0) - 1.37 * step
        size = np.ceil((v.max(0) + step - lo) / step).astype(int)
        mid = [lo[a] + step * (np.arange(size[a]) + 0.5) for a in range(3)]
        full = inside_columns(closed, np.vstack([f, fan]), *mid)
        own = np.floor((v - lo) / step).astype(int)
        full[tuple(own.T)] = True
        cells = np.argwhere(full)
        centre = lo + step * (cells + 0.5)
        tree = cKDTree(v)
        soft = cKDTree(v[near]).query(centre)[0] < 0.020
        label = finger[tree.query(centre)[1]]
        kept, rest = cells[soft], {tuple(c) for c in cells[~soft]}
        label = label[soft]
        ids, count = split_nodes(kept, label)
        nodes = np.zeros((count, 3))
        nodes[ids] = lo + step * (kept[:, None] + CORNERS)
        odd = kept.sum(1) % 2 == 1
        tets = np.concatenate([ids[odd][:, ODD].reshape(-1, 4), ids[~odd][:, EVEN].reshape(-1, 4)])
        owner = np.concatenate([np.repeat(np.flatnonzero(odd), 5), np.repeat(np.flatnonzero(~odd), 5)])
        edge = nodes[tets[:, 1:]] - nodes[tets[:, :1]]
        vol = np.linalg.det(edge) / 6
        flip = vol < 0
        tets[flip] = tets[flip][:, [0, 2, 1, 3]]
        edge = nodes[tets[:, 1:]] - nodes[tets[:, :1]]
        self.vol = np.linalg.det(edge) / 6 / step**3
        inv = np.linalg.inv(edge)  # rows of edge are edges: gradient of x is inv @ (x_k - x_0)
        g = np.concatenate([-inv.sum(2, keepdims=True), inv], 2)  # (T, 3 axes, 4 nodes)
        t = len(tets)
        rows = np.repeat(np.arange(3 * t), 4)  # axis by axis, tetrahedra within
        g = g.transpose(1, 0, 2)
        self.grad = sparse.csr_matrix((g.reshape(-1), (rows, np.tile(tets, (3, 1)).reshape(-1))), (3 * t, count))
        self.back = self.grad.T.tocsr()
        self.nodes, self.tets = nodes, tets

        # bone cores: nearer to the bone's axis than `core` of the way from the axis to the skin
        bone, part = -np.ones(count, int), np.full(count, np.inf)
        skin = tree.query(nodes)[0]
        node_label = np.zeros(count, int)
        node_label[ids.reshape(-1)] = np.repeat(label, 8)
        for joint, a, b, group in bones:
            s = np.clip((nodes - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            d = np.linalg.norm(nodes - a - s[:, None] * (b - a), axis=1)
            p = d / (d + skin)
            use = (p < core) & (p < part) & ((node_label == group) | (node_label == 0) | (group == 0))
            bone[use], part[use] = joint, p[use]
        edges = np.concatenate([tets[:, [0, k]] for k in (1, 2, 3)])
        adjacent = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
        for i, c in enumerate(kept):  # beyond the lattice the palm is rigid
            for axis in range(3):
                for s in (0, 1):
                    n = c.copy()
                    n[axis] += 2 * s - 1
                    if tuple(n) in rest:
                        bone[ids[i][CORNERS[:, axis] == s]] = 0
        # crumbs that hang on nothing follow the palm
        part_of = connected_components(adjacent, directed=False)[1]
        held = np.zeros(part_of.max() + 1, bool)
        held[part_of[bone >= 0]] = True
        bone[~held[part_of]] = 0
        self.bone = bone
        self.fixed, self.free = np.flatnonzero(bone >= 0), np.flatnonzero(bone < 0)
        a = (self.grad.T @ sparse.diags(np.tile(self.vol, 3)) @ self.grad).tocsc() * (mu + lam)
        self.a_fc = a[self.free][:, self.fixed]
        self.solver = splu(a[self.free][:, self.free].tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                           options={"SymmetricMode": True})

        # start weights of the nodes, embedding of the vertices
        d, i = tree.query(nodes, 6)
        w = 1 / (d + 1e-4) ** 2
        same = (finger[i] == node_label[:, None]) | (node_label[:, None] == 0) | (finger[i] == 0)
        w = w * np.where(same, 1.0, 1e-6)
        self.start = np.einsum("nk,nkj->nj", w / w.sum(1, keepdims=True), weights[i])
        self.embed(v, finger, lo, step, kept, label, owner, inv)

    def embed(self, v, finger, lo, step, kept, label, owner, inv):
        """Barycentric coordinates of each vertex in the tetrahedron (of its own finger) that holds it or lies nearest."""
        by_cell = {}
        for t, o in enumerate(owner):
            by_cell.setdefault(tuple(kept[o]), []).append(t)
        self.host = -np.ones(len(v), int)
        self.bary = np.zeros((len(v), 4))
        for k, p in enumerate(v):
            c = np.floor((p - lo) / step).astype(int)
            cand = [t for d in np.ndindex(3, 3, 3) for t in by_cell.get(tuple(c + np.array(d) - 1), ())
                    if label[owner[t]] == finger[k] or label[owner[t]] == 0 or finger[k] == 0]
            if not cand:
                continue
            cand = np.array(cand)
            b = np.einsum("tkj,tk->tj", inv[cand], p - self.nodes[self.tets[cand, 0]])
            b = np.concatenate([1 - b.sum(1, keepdims=True), b], 1)
            best = b.min(1).argmax()
            self.host[k], self.bary[k] = cand[best], b[best]

    def pose(self, rot, offset, rounds=50, speed=0.98):
        """Skin vertices of a pose: joint j takes a point x to rot[j] x + offset[j]. Also the last change, metres.

        Rounds are sped up by the Chebyshev recurrence for the spectral radius `speed` (Wang 2015)."""
        at = np.einsum("jab,nb->nja", rot, self.nodes) + offset
        x = np.einsum("nj,nja->na", self.start, at)
        x[self.fixed] = at[self.fixed, self.bone[self.fixed]]
        mean = np.einsum("nj,jab->abn", self.start, rot)[:, :, self.tets].mean(3)
        r = rotations_of(mean, np.repeat(np.eye(3)[:, :, None], len(self.tets), 2), 20)
        held = self.a_fc @ x[self.fixed]
        change, omega, before = 0.0, 1.0, None
        for turn in range(rounds):
            f = np.ascontiguousarray((self.grad @ x).reshape(3, -1, 3).transpose(2, 0, 1))
            r = rotations_of(f, r, 1)
            p = (self.mu * r + self.lam * unit_volume(f, r)) * self.vol
            rhs = self.back @ np.ascontiguousarray(p.transpose(1, 2, 0)).reshape(-1, 3)
            new = self.solver.solve(np.ascontiguousarray(rhs[self.free] - held))
            change = np.abs(new - x[self.free]).max()
            if turn >= 10:
                omega = 2 / (2 - speed**2) if turn == 10 else 4 / (4 - speed**2 * omega)
                new = omega * (new - before) + before
            before = x[self.free].copy()
            x[self.free] = new
            if change < 2e-6:
                break
        ok = self.host >= 0
        out = np.zeros_like(self.v)
        out[ok] = np.einsum("nk,nka->na", self.bary[ok], x[self.tets[self.host[ok]]])
        return out, ok, change
