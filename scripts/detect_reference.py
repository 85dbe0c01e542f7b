#!/usr/bin/env python3
"""Writes src/detect/reference.json: what Google's own interpreter computes with the two MediaPipe networks.

The tests compare the networks as thenar runs them with these numbers. Input: a pattern that needs no file,
value(x, y, channel) = ((x*x//64 + 3*x*channel + y*(channel + 1)) % 256) / 255. Run it again only when the model files change:

    scripts/fetch-models
    python3 -m venv venv && venv/bin/pip install ai-edge-litert==2.3.0 numpy
    venv/bin/python scripts/detect_reference.py
"""

import json
import pathlib

import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEEP = 48


def pattern(size: int) -> np.ndarray:
    y, x, c = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    return (((x * x // 64 + 3 * x * c + y * (c + 1)) % 256) / 255).astype(np.float32)[None]


def main() -> None:
    reference = {}
    for name in ("palm_detection_full", "hand_landmark_full"):
        interpreter = Interpreter(str(ROOT / "assets" / "models" / f"{name}.tflite"), num_threads=1)
        interpreter.allocate_tensors()
        [source] = interpreter.get_input_details()
        interpreter.set_tensor(source["index"], pattern(int(source["shape"][1])))
        interpreter.invoke()
        outputs = []
        for detail in interpreter.get_output_details():
            values = interpreter.get_tensor(detail["index"]).ravel()
            # Evenly spread; the stride shares no factor with the numbers of a box, so that each kind occurs.
            stride = max(1, len(values) // KEEP) | 1
            picked = list(range(0, len(values), stride))
            outputs.append({"length": len(values), "stride": stride, "values": [float(f"{values[i]:.9g}") for i in picked]})
        reference[name] = outputs
    lines = json.dumps(reference, indent=1).replace("\n     ", " ")
    (ROOT / "src" / "detect" / "reference.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
