// The gradient to a layer's weights from its partial sums, always in the same order. One invocation four numbers.
//#use common/index
struct SumWeightsParams {
    count: u32,              // partial sums
    numbers: u32,            // vec4 a layer
    offset: u32,             // where the layer begins, in vec4
    scale: f32,
}
@group(0) @binding(0) var<uniform> params: SumWeightsParams;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> weights_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn sum_weights(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.numbers {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var k = 0u; k < params.count; k++) {
        sum += partials[k * params.numbers + i];
    }
    weights_grad[params.offset + i] = params.scale * sum;
}
