#!/usr/bin/env python3
"""Writes the weights for `thenar evaluate --lpips`: LPIPS 0.1 with AlexNet as the Python package `lpips` has it.

    python3 -m venv venv && venv/bin/pip install lpips safetensors torch torchvision
    venv/bin/python scripts/lpips_weights.py lpips_alex.safetensors

The package fetches AlexNet's weights from torchvision's server at its first use. Their terms are those of torchvision and
of `lpips`; thenar neither ships nor needs them.
"""

import sys

import lpips
from safetensors.torch import save_file


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    state = lpips.LPIPS(net="alex", version="0.1").state_dict()
    # `lins.N` are the same numbers as `linN` under a second name, which the format does not allow.
    save_file({name: tensor.contiguous() for name, tensor in state.items() if not name.startswith("lins.")}, sys.argv[1])


if __name__ == "__main__":
    main()
