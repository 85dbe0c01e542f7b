// An image of twice the size, bilinear between pixel centres, held at the border. One invocation four channels of a pixel of
// the full image, which stands alone.
//#use common/index, common/resize
@group(0) @binding(0) var<uniform> params: ResizeParams;
@group(0) @binding(1) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> full: array<vec4<f32>>;

@compute @workgroup_size(64)
fn double(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= 4u * params.width * params.height * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let channel = i % params.channels;
    let x = pixel % (2u * params.width);
    let y = pixel / (2u * params.width);
    let near = (y / 2u) * params.width;
    let far = beside(y, params.height) * params.width;
    let column = x / 2u;
    let other = beside(x, params.width);
    let c = params.channels;
    let upper = 0.75 * small[(near + column) * c + channel] + 0.25 * small[(near + other) * c + channel];
    let lower = 0.75 * small[(far + column) * c + channel] + 0.25 * small[(far + other) * c + channel];
    full[i] = 0.75 * upper + 0.25 * lower;
}
