// Half of an image in both directions: means of 2×2 pixels. One invocation four channels of a pixel of the half.
//#use common/index, common/resize
@group(0) @binding(0) var<uniform> params: ResizeParams;
@group(0) @binding(1) var<storage, read> full: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> small: array<vec4<f32>>;

@compute @workgroup_size(64)
fn halve(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.width * params.height * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let corner = 4u * (pixel / params.width) * params.width + 2u * (pixel % params.width);
    let at = corner * params.full_stride + params.full_first + i % params.channels;
    let below = at + 2u * params.width * params.full_stride;
    small[i] = 0.25 * (full[at] + full[at + params.full_stride] + full[below] + full[below + params.full_stride]);
}
