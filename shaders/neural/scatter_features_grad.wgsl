// Gradient to the vertices' features from that to the network's inputs: fixed-point sums over samples. One invocation a
// sample.
//#use common/index, common/fixed_point, common/neural_sample
struct ScatterParams {
    rows: u32,
    inputs: u32,             // numbers a row
    first: u32,              // first feature among them
    features: u32,
}
@group(0) @binding(0) var<uniform> params: ScatterParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> inputs_grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> features_grad: array<atomic<i32>>;

@compute @workgroup_size(64)
fn scatter_features_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    // A row without a sample has no ray; in an image it has a gradient nevertheless, through its neighbours.
    if all(samples[at + 3u].xyz == vec3<u32>(0u)) {
        return;
    }
    let lambda = vec2<f32>(bitcast<f32>(samples[at + 4u].w), bitcast<f32>(samples[at + 5u].w));
    let a = samples[at + 1u].w * params.features;
    let b = samples[at + 2u].w * params.features;
    let c = samples[at + 3u].w * params.features;
    for (var k = 0u; k < params.features; k++) {
        let g = inputs_grad[row * params.inputs + params.first + k];
        atomicAdd(&features_grad[a + k], to_fixed(lambda.x * g));
        atomicAdd(&features_grad[b + k], to_fixed(lambda.y * g));
        atomicAdd(&features_grad[c + k], to_fixed((1.0 - lambda.x - lambda.y) * g));
    }
}
