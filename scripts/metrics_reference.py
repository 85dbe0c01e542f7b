#!/usr/bin/env python3
"""Writes src/metrics/reference.json: FLIP as its authors' program computes it, and LPIPS in plain numpy.

The tests compare thenar's own implementations with these numbers. Images are formulas, so no file is needed; LPIPS runs on
a network of the right form with few channels whose weights are formulas too (it checks the arithmetic; the fixtures of
`THENAR_SHARED` check the full size against the package `lpips`). Run it again only when a formula here changes:

    python3 -m venv venv && venv/bin/pip install flip-evaluator==1.7 numpy
    venv/bin/python scripts/metrics_reference.py
"""

import json
import pathlib

import flip_evaluator
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Layers of AlexNet: kernel, stride, padding, and whether a 3×3 pooling with stride 2 stands before.
LAYERS = [(11, 4, 2, False), (5, 1, 2, True), (3, 1, 1, True), (3, 1, 1, False), (3, 1, 1, False)]
CHANNELS = [3, 4, 6, 5, 4, 3]


def pattern(width: int, height: int) -> np.ndarray:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * x // 64 + 3 * x * c + y * (c + 1)) % 256) / 255


def changed(image: np.ndarray) -> dict[str, np.ndarray]:
    y, x, c = np.meshgrid(*[np.arange(n) for n in image.shape], indexing="ij")
    box = (x > image.shape[1] // 3) & (y > image.shape[0] // 2)
    return {
        "same": image,
        "darker": image * 0.9,
        "tinted": np.where(c == 2, image * 0.7, image),
        "noisy": np.clip(image + ((x * 7 + y * 13 + c * 5) % 11 - 5) / 50, 0, 1),
        "black box": np.where(box, 0.0, image),
        "inverted": 1 - image,
    }


def tiny_weights() -> dict[str, np.ndarray]:
    weights = {}
    for k, (size, _, _, _) in enumerate(LAYERS):
        shape = (CHANNELS[k + 1], CHANNELS[k], size, size)
        fan_in = CHANNELS[k] * size * size
        i = np.arange(np.prod(shape))
        weights[f"conv{k}.weight"] = (np.sin(0.37 * i + k) * np.sqrt(2 / fan_in)).reshape(shape).astype(np.float32)
        weights[f"conv{k}.bias"] = (0.1 * np.cos(np.arange(shape[0]) + k)).astype(np.float32)
        weights[f"lin{k}"] = (0.5 + 0.5 * np.sin(np.arange(shape[0]) + 2.0 * k)).astype(np.float32)
    return weights


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, weight.astype(float)) + bias[:, None, None]


def taps(image: np.ndarray, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    x = ((2 * image - 1 - shift) / scale).transpose(2, 0, 1)
    found = []
    for k, (_, stride, padding, pool) in enumerate(LAYERS):
        if pool:
            x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4))
        x = np.maximum(convolve(x, weights[f"conv{k}.weight"], weights[f"conv{k}.bias"], stride, padding), 0)
        found.append(x)
    return found


def lpips(a: np.ndarray, b: np.ndarray, weights: dict[str, np.ndarray]) -> float:
    total = 0.0
    for k, (fa, fb) in enumerate(zip(taps(a, weights), taps(b, weights))):
        unit = lambda f: f / (np.sqrt((f**2).sum(axis=0, keepdims=True)) + 1e-10)
        total += (((unit(fa) - unit(fb)) ** 2) * weights[f"lin{k}"][:, None, None]).sum(axis=0).mean()
    return float(total)


def main() -> None:
    flip = []
    for width, height in ((96, 72), (31, 17)):
        image = pattern(width, height)
        for name, other in changed(image).items():
            error, mean, _ = flip_evaluator.evaluate(
                image.astype(np.float32), other.astype(np.float32), "LDR", applyMagma=False
            )
            picked = [float(f"{error[y, x].item():.7g}") for y, x in ((0, 0), (height // 2, width // 2), (height - 1, width - 2))]
            flip.append({"name": name, "width": width, "height": height, "mean": float(mean), "pixels": picked})
    weights, image = tiny_weights(), pattern(96, 72)
    values = {name: lpips(image, other, weights) for name, other in changed(image).items()}
    text = json.dumps({"flip": flip, "lpips": values}, indent=1)
    (ROOT / "src" / "metrics" / "reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
