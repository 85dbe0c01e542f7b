// Colour of every covered pixel of a region: gain * (c . SH(n)) * albedo, alpha 1. One invocation a covered pixel.
//#use common/index, common/pixel_list, common/light, common/surface
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> covered: PixelList;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> colours: array<vec4<f32>>;

@compute @workgroup_size(64)
fn shade(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= covered.count {
        return;
    }
    let entry = covered.entries[i];
    let s = surface_at(entry);
    let light = light_of_view();
    colours[entry.x] = vec4<f32>(light.gain * sh_dot(light.c, s.normal) * albedo_at(s), 1.0);
}
