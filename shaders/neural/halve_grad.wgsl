// Adds the gradient to a full image from that to its half; nothing goes through pixels that are not positive. One invocation
// four channels of a pixel of the full image.
//#use common/index, common/resize
@group(0) @binding(0) var<uniform> params: ResizeParams;
@group(0) @binding(1) var<storage, read> full: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> small_grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> full_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn halve_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= 4u * params.width * params.height * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let width = 2u * params.width;
    let parent = (pixel / width / 2u) * params.width + pixel % width / 2u;
    let at = pixel * params.full_stride + params.full_first + i % params.channels;
    let own = 0.25 * small_grad[parent * params.channels + i % params.channels];
    full_grad[at] += select(vec4<f32>(0.0), own, full[at] > vec4<f32>(0.0));
}
