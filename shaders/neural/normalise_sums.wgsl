// Partial sums of the gradient to a normalisation's factors and shifts, over `chunk` pixels each, laid out as these are;
// neural/sum_weights adds them in order. One invocation four channels of a chunk.
//#use common/index, common/normalisation
@group(0) @binding(0) var<uniform> params: NormaliseParams;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn normalise_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let chunk = i / params.channels;
    let channel = i % params.channels;
    if chunk * params.chunk >= params.pixels {
        return;
    }
    let mean = statistics[channel];
    let inverse = statistics[params.channels + channel];
    var factors = vec4<f32>(0.0);
    var shifts = vec4<f32>(0.0);
    for (var pixel = chunk * params.chunk; pixel < min((chunk + 1u) * params.chunk, params.pixels); pixel++) {
        let g = y_grad[pixel * params.y_stride + params.y_first + channel];
        factors += g * (x[pixel * params.channels + channel] - mean) * inverse;
        shifts += g;
    }
    let at = 2u * chunk * params.channels + channel;
    partials[at] = factors;
    partials[at + params.channels] = shifts;
}
