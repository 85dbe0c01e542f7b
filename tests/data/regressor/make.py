#!/usr/bin/env python3
"""Makes the files in this folder with PyTorch itself, for src/regressor/pth/tests.rs.

`gcn_right.pth` is the state of a graph network with the layer names of the published one (agnJason/FMHR, GCNDecoder) on a
mesh of 24 vertices with few channels: random numbers, nothing of MANO and nothing of the authors' weights.
`strided.pth` holds tensors that lie in their storages in other ways than row by row from the start. `old_format.pth` is
what torch.save wrote before PyTorch 1.6. `reference.json` has what PyTorch computes with the first, some of its numbers,
and the values of the second.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 numpy
    venv/bin/python tests/data/regressor/make.py
"""

import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
RINGS, AROUND = 4, 6
LATENT, FIRST, WIDTH = 3, 64, 4
SIZES = [24, 24, 12, 6, 3]

torch.manual_seed(20261129)


def tube() -> list[list[int]]:
    """Triangles of an open tube."""
    faces = []
    for ring in range(RINGS - 1):
        for k in range(AROUND):
            a, b = ring * AROUND + k, ring * AROUND + (k + 1) % AROUND
            faces += [[a, b, a + AROUND], [b, b + AROUND, a + AROUND]]
    return faces


def laplacian(adjacency: torch.Tensor) -> torch.Tensor:
    """I - D^-1/2 A D^-1/2, sparse. Like the published one it counts an edge once for each of its triangles."""
    d = adjacency.sum(0).rsqrt()
    return (torch.eye(len(adjacency)) - d[:, None] * adjacency * d[None, :]).to_sparse()


def adjacency(count: int, edges: list[tuple[int, int]]) -> torch.Tensor:
    a = torch.zeros(count, count)
    for i, j in edges:
        a[i, j] += 1
        a[j, i] += 1
    return a


def levels() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    edges = [(f[k], f[(k + 1) % 3]) for f in tube() for k in range(3)]
    laplacians = [laplacian(adjacency(24, edges)), laplacian(adjacency(24, edges))]
    for n in SIZES[2:]:
        laplacians.append(laplacian(adjacency(n, [(i, (i + 1) % n) for i in range(n)])))
    ups = []
    for fine, coarse in zip(SIZES, SIZES[1:]):
        weights = torch.zeros(fine, coarse)
        for i in range(fine):
            j = i * coarse // fine
            weights[i, j] = 1.0 if fine == coarse else 0.75
            if fine != coarse:
                weights[i, (j + 1) % coarse] = 0.25
        ups.append(weights.to_sparse())
    return laplacians, ups


class Chebyshev(nn.Module):
    def __init__(self, inputs: int, outputs: int, order: int):
        super().__init__()
        self.order = order
        self.w = nn.Parameter(torch.randn(inputs * order, outputs) / (inputs * order) ** 0.5)

    def forward(self, x, laplacian):
        terms = [x] if self.order == 1 else [x, laplacian @ x]
        return torch.stack(terms, -1).flatten(1) @ self.w


class Norm(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(1 + 0.2 * torch.randn(1, channels, 1))
        self.beta = nn.Parameter(0.2 * torch.randn(1, channels, 1))

    def forward(self, x):
        channels = x.shape[1]
        y = F.group_norm(x.T[None], min(32, channels), self.gamma.flatten(), self.beta.flatten(), 1e-5)
        return F.relu(y[0].T)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.gn1, self.gn2, self.gn3 = Norm(inputs), Norm(outputs // 2), Norm(outputs // 2)
        self.lin1 = Chebyshev(inputs, outputs // 2, 1)
        self.conv = Chebyshev(outputs // 2, outputs // 2, 2)
        self.lin2 = Chebyshev(outputs // 2, outputs, 1)
        if inputs != outputs:
            self.filter = Chebyshev(inputs, outputs, 1)

    def forward(self, x, laplacian, up):
        x = up @ x
        y = self.lin1(self.gn1(x), laplacian)
        y = self.conv(self.gn2(y), laplacian)
        y = self.lin2(self.gn3(y), laplacian)
        return y + (self.filter(x, laplacian) if hasattr(self, "filter") else x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        laplacians, ups = levels()
        for i, matrix in enumerate(laplacians):
            self.register_buffer(f"L_{i}", matrix)
        for i, matrix in enumerate(ups):
            self.register_buffer(f"U_{i}", matrix)
        self.decoder = nn.ModuleList(Block(FIRST if i == 0 else WIDTH, WIDTH) for i in range(4))
        self.decode_conv1x1 = Chebyshev(LATENT, FIRST, 1)
        self.conv3 = Chebyshev(WIDTH, 3, 2)
        self.fc_decode = nn.Sequential(nn.Linear(63, LATENT), nn.Linear(LATENT, SIZES[-1] * LATENT))
        self.mean = nn.Parameter(0.1 * torch.randn(1, SIZES[0], 3))
        self.std = nn.Parameter(0.02 + 0.002 * torch.randn(1, SIZES[0], 3))
        inputs = SIZES[-1] * LATENT + SIZES[-2] * 3
        self.fc_param = nn.Sequential(nn.Linear(inputs, 6), nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 55))

    def forward(self, joints):
        latent = F.leaky_relu(self.fc_decode(joints), 0.2)
        x = self.decode_conv1x1(latent.reshape(SIZES[-1], LATENT), self.L_3)
        head = latent
        for i, block in enumerate(self.decoder):
            level = 3 - i
            x = block(x, getattr(self, f"L_{level}"), getattr(self, f"U_{level}"))
            if i == 0:
                points = self.conv3(x, self.L_3) * self.std.mean() + self.mean.mean()
                head = torch.cat([latent, points.flatten()])
        vertices = self.conv3(x, self.L_0) * self.std[0] + self.mean[0]
        return vertices, self.fc_param(head)


def keypoints() -> torch.Tensor:
    """21 points that a regressor takes for a hand: centred, the first two half a unit apart."""
    points = torch.randn(21, 3) * 0.4
    points = points - points.mean(0)
    return points * (0.5 / (points[1] - points[0]).norm())


def strided() -> tuple[dict, dict]:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) - 7.5
    tensors = {
        "rows": base,
        "transposed": base.T,
        "column": base[:, 2],
        "corner": base[1:3, 3:5],
        "every_second": base.flatten()[1::2],
        "repeated": torch.tensor([[1.5], [-2.5]]).expand(2, 3),
        "double": torch.tensor([0.1, -1e300, 3.0], dtype=torch.float64)[[0, 2]],
        "long": torch.tensor([-3, 0, 1 << 20]),
        "scalar": torch.tensor(4.25),
        "nothing": torch.zeros(0, 5),
    }
    return tensors, {name: {"shape": list(t.shape), "data": t.flatten().tolist()} for name, t in tensors.items()}


def main() -> None:
    torch.set_default_dtype(torch.float32)
    network = Decoder().eval()
    state = network.state_dict()
    torch.save(state, HERE / "gcn_right.pth")
    tensors, values = strided()
    torch.save(tensors, HERE / "strided.pth")
    torch.save({"fc_decode.0.weight": torch.zeros(1)}, HERE / "old_format.pth", _use_new_zipfile_serialization=False)
    joints = keypoints()
    with torch.no_grad():
        vertices, parameters = network.double()(joints.double().flatten())
    kept = ["fc_decode.0.bias", "decoder.0.gn1.gamma", "decoder.3.conv.w", "std"]
    reference = {
        "torch": torch.__version__,
        "faces": tube(),
        "joints": joints.tolist(),
        "vertices": vertices.tolist(),
        "parameters": parameters.tolist(),
        "tensors": {name: {"shape": list(state[name].shape), "data": state[name].flatten().tolist()} for name in kept},
        "strided": values,
    }
    (HERE / "reference.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
