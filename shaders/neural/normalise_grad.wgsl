// Gradient to what was normalised, through the statistics too. `sums` are those of neural/normalise_sums over all pixels. One
// invocation four channels of a pixel.
//#use common/index, common/normalisation
@group(0) @binding(0) var<uniform> params: NormaliseParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> coverage: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> x_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn normalise_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.pixels * params.channels {
        return;
    }
    let pixel = i / params.channels;
    let channel = i % params.channels;
    let inverse = statistics[params.channels + channel];
    let normal = (x[i] - statistics[channel]) * inverse;
    let share = coverage[pixel * params.coverage_stride].w / max(statistics[2u * params.channels + channel].x, 1e-12);
    let through = share * (sums[params.channels + channel] + normal * sums[channel]);
    let g = y_grad[pixel * params.y_stride + params.y_first + channel];
    x_grad[i] = weights[params.weights + channel] * inverse * (g - through);
}
