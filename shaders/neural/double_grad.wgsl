// Gradient to an image from that to its double; nothing goes through pixels that are not positive. One invocation four
// channels of a pixel of the half, which gathers from the up to 4×4 pixels that saw it.
//#use common/index, common/resize
@group(0) @binding(0) var<uniform> params: ResizeParams;
@group(0) @binding(1) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> full_grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> small_grad: array<vec4<f32>>;

// What pixel `i` of `size` gives to pixel `x` of twice as many.
fn share(x: u32, i: u32, size: u32) -> f32 {
    return select(0.0, 0.75, x / 2u == i) + select(0.0, 0.25, beside(x, size) == i);
}

@compute @workgroup_size(64)
fn double_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.width * params.height * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let column = pixel % params.width;
    let line = pixel / params.width;
    var sum = vec4<f32>(0.0);
    for (var y = max(2u * line, 1u) - 1u; y < min(2u * line + 3u, 2u * params.height); y++) {
        for (var x = max(2u * column, 1u) - 1u; x < min(2u * column + 3u, 2u * params.width); x++) {
            let weight = share(y, line, params.height) * share(x, column, params.width);
            sum += weight * full_grad[(y * 2u * params.width + x) * params.channels + i % params.channels];
        }
    }
    small_grad[i] = select(vec4<f32>(0.0), sum, small[i] > vec4<f32>(0.0));
}
