"""A small software renderer (orthographic, smooth normals, one light) for pictures of the open hand."""
import numpy as np


def vertex_normals(v, f):
    n = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    out = np.zeros_like(v)
    for k in range(3):
        np.add.at(out, f[:, k], n)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-30)


def view(yaw, pitch, roll=0.0):
    """Rows: right, up, towards the eye."""
    a, b, c = np.radians([yaw, pitch, roll])
    ry = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    rx = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ rx @ ry


def render(v, f, eye, centre, scale, size, colour=(0.86, 0.66, 0.55), faces_colour=None, wire=False):
    """RGB floats (H, W, 3); `scale` pixels a metre around `centre`; `size` = (width, height)."""
    w, h = size
    p = (v - centre) @ eye.T
    n = vertex_normals(v, f) @ eye.T
    x, y, z = p[:, 0] * scale + w / 2, h / 2 - p[:, 1] * scale, p[:, 2]
    depth = np.full((h, w), -np.inf)
    image = np.ones((h, w, 3))
    light = np.array([-0.45, 0.6, 0.65])
    light /= np.linalg.norm(light)
    for i, t in enumerate(f):
        a, b, c = t
        x0, x1 = int(max(np.floor(x[t].min()), 0)), int(min(np.ceil(x[t].max()), w - 1))
        y0, y1 = int(max(np.floor(y[t].min()), 0)), int(min(np.ceil(y[t].max()), h - 1))
        if x0 > x1 or y0 > y1:
            continue
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if abs(area) < 1e-9:
            continue
        gx, gy = np.meshgrid(np.arange(x0, x1 + 1) + 0.5, np.arange(y0, y1 + 1) + 0.5)
        u = ((gx - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (gy - y[a])) / area
        s = ((x[b] - x[a]) * (gy - y[a]) - (gx - x[a]) * (y[b] - y[a])) / area
        r = 1 - u - s
        d = r * z[a] + u * z[b] + s * z[c]
        box = (slice(y0, y1 + 1), slice(x0, x1 + 1))
        ok = (r >= -1e-6) & (u >= -1e-6) & (s >= -1e-6) & (d > depth[box])
        if not ok.any():
            continue
        m = r[..., None] * n[a] + u[..., None] * n[b] + s[..., None] * n[c]
        m = m / np.maximum(np.linalg.norm(m, axis=2, keepdims=True), 1e-9)
        if area > 0:  # seen from behind (y points down): dark
            shade = 0.25 + 0 * m[..., 0]
        else:
            shade = 0.32 + 0.68 * np.clip(m @ light, 0, 1) + 0.08 * np.clip(m[..., 2], 0, 1)
        rgb = shade[..., None] * np.array(colour if faces_colour is None else faces_colour[i])
        if wire:
            edge = np.minimum(np.minimum(r, u), s) * np.sqrt(abs(area)) < 0.7
            rgb = np.where(edge[..., None], 0.6 * rgb, rgb)
        image[box][ok] = rgb[ok]
        depth[box][ok] = d[ok]
    return np.clip(image, 0, 1)


def supersampled(v, f, eye, centre, scale, size, **options):
    big = render(v, f, eye, centre, 2 * scale, (2 * size[0], 2 * size[1]), **options)
    return 0.25 * (big[::2, ::2] + big[1::2, ::2] + big[::2, 1::2] + big[1::2, 1::2])
