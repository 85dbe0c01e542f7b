#!/usr/bin/env python3
"""Reads exported hands with libraries that are not ours: trimesh (GLB, OBJ, PLY, STL) and OpenUSD (usda, usdz).

    scripts/check_readers.py FILE...

Prints a line of JSON for each mesh of each file: where it is from, its name, the number of different places of its vertices, of
faces, its bounds (of stages in metres, else as they stand in the file), whether it is closed, the mean over these places of
the vertices' colours, sRGB-encoded (null where the format or the library has none), and the width of its texture in pixels. Ends
with 1 when a file cannot be read. What it needs is in scripts/readers.txt.
"""

import json
import sys
from pathlib import Path

import numpy as np
import trimesh
from pxr import Usd, UsdGeom, UsdShade


def encoded(linear):
    """sRGB-encoded from linear."""
    x = np.asarray(linear, float)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)


def line(path, name, points, faces, colours, closed=None, texture=None):
    """One mesh, as printed. Vertices that were split for their texture coordinates count once."""
    points = np.asarray(points, float)
    _, first = np.unique(points.astype(np.float32), axis=0, return_index=True)
    return {
        "file": Path(path).name,
        "name": name,
        "places": len(first),
        "faces": int(faces),
        "least": points.min(0).tolist(),
        "most": points.max(0).tolist(),
        "closed": closed,
        "colour": None if colours is None else np.asarray(colours, float)[first, :3].mean(0).tolist(),
        "texture_px": texture,
    }


def vertex_colours(mesh):
    """0..1, or nothing; where a mesh has a texture too, trimesh keeps them as an attribute."""
    visual = mesh.visual
    if visual.kind == "vertex":
        return visual.vertex_colors / 255.0
    extra = getattr(visual, "vertex_attributes", {})
    found = extra.get("color") if "color" in extra else mesh.vertex_attributes.get("color")
    if found is None:
        return None
    return found / 255.0 if np.asarray(found).dtype == np.uint8 else found


def texture_of(mesh):
    """Width of the texture, pixels."""
    material = getattr(mesh.visual, "material", None)
    for name in ("baseColorTexture", "image"):
        image = getattr(material, name, None)
        if image is not None:
            return image.size[0]
    return None


def by_trimesh(path):
    """Meshes of a file, each where its scene puts it."""
    scene = trimesh.load_scene(path, process=False)
    for node in scene.graph.nodes_geometry:
        place, name = scene.graph[node]
        mesh = scene.geometry[name]
        points = trimesh.transform_points(mesh.vertices, place)
        whole = mesh.copy()
        whole.merge_vertices(merge_tex=True, merge_norm=True)
        yield line(
            path, node, points, len(mesh.faces), vertex_colours(mesh), bool(whole.is_watertight), texture_of(mesh)
        )


def by_usd(path):
    """Meshes of a stage in its world, metres."""
    stage = Usd.Stage.Open(path)
    if UsdGeom.GetStageUpAxis(stage) != UsdGeom.Tokens.y:
        raise ValueError(f"{path}: up is not y")
    metres = UsdGeom.GetStageMetersPerUnit(stage)
    for prim in stage.Traverse():
        if not prim.IsA(UsdGeom.Mesh):
            continue
        mesh = UsdGeom.Mesh(prim)
        place = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default()))
        points = np.array(mesh.GetPointsAttr().Get(), float)
        points = (np.c_[points, np.ones(len(points))] @ place)[:, :3] * metres
        counts = mesh.GetFaceVertexCountsAttr().Get()
        if set(counts) != {3} or len(mesh.GetFaceVertexIndicesAttr().Get()) != 3 * len(counts):
            raise ValueError(f"{path}: {prim.GetPath()} is not made of triangles")
        colours = UsdGeom.PrimvarsAPI(prim).GetPrimvar("displayColor").Get()
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        if not material:
            raise ValueError(f"{path}: {prim.GetPath()} has no material")
        yield line(path, prim.GetName(), points, len(counts), None if colours is None else encoded(colours))


def main():
    failed = False
    for path in sys.argv[1:]:
        try:
            read = by_usd if path.endswith((".usda", ".usdz")) else by_trimesh
            for found in read(path):
                print(json.dumps(found))
        except Exception as error:  # a reader's own errors are of any kind
            print(f"{path}: {error!r}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
