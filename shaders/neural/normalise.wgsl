// Normalised channels times a factor plus a shift, and what is not positive cut. One invocation four channels of a pixel.
//#use common/index, common/normalisation
@group(0) @binding(0) var<uniform> params: NormaliseParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn normalise(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.pixels * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let channel = i % params.channels;
    let factor = weights[params.weights + channel];
    let shift = weights[params.weights + params.channels + channel];
    let normal = (x[i] - statistics[channel]) * statistics[params.channels + channel];
    y[pixel * params.y_stride + params.y_first + channel] = max(factor * normal + shift, vec4<f32>(0.0));
}
