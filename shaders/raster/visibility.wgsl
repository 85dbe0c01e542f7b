// Hardware raster of triangle ids (the one file that is no compute kernel): `triangle + 1`, background 0.
// `drawn` has four words a triangle: its corners and its id.
//#use common/camera
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> drawn: array<u32>;

struct Varying {
    @builtin(position) clip: vec4<f32>,
    @location(0) @interpolate(flat) id: u32,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Varying {
    let at = index / 3u * 4u;
    let corner = drawn[at + index % 3u];
    return Varying(view.clip_from_world * vec4<f32>(positions[corner].xyz, 1.0), drawn[at + 3u]);
}

@fragment
fn fragment(in: Varying) -> @location(0) u32 {
    return in.id;
}
