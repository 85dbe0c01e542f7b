"""The nails: faces whose UVs lie in the white spots of MakeHuman's CC0 fingernail mask (needs Pillow for the JPEG)."""
import io

import numpy as np

MASK = "textures/mpfb_fingernails.jpg"


def nail_faces(data, uv, ft, f, weights):
    """0 for skin, 1 to 5 for thumb, index, middle, ring, pinky nails (F,). `uv` are the base mesh's own coordinates."""
    from PIL import Image

    mask = np.asarray(Image.open(io.BytesIO(data)).convert("L"), float) / 255
    size = np.array(mask.shape[::-1])
    share = np.zeros(len(ft))
    bary = [(i / 6 + 1 / 18, j / 6 + 1 / 18) for i in range(6) for j in range(6 - i)]
    for a, b in bary:
        p = uv[ft] * np.array([1 - a - b, a, b])[None, :, None]
        q = (p.sum(1) * [1, -1] + [0, 1]) * size
        i = np.clip(q.astype(int), 0, size - 1)
        share += mask[i[:, 1], i[:, 0]] > 0.5
    out = np.zeros(len(ft), np.uint8)
    for k, root in enumerate((13, 1, 4, 10, 7)):
        out[(share > 0.5 * len(bary)) & (weights[f][:, :, root + 2].min(1) > 0.5)] = k + 1
    return out
