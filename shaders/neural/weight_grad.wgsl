// Partial sums of the gradient to a layer's weights and biases, over `chunk` rows each: partials[chunk of rows] is laid out
// like the layer. One invocation takes 8 inputs and 8 outputs; the last eight "inputs" are the bias. No sum depends on
// scheduling.
//#use common/index, common/layer, common/outer
@group(0) @binding(0) var<uniform> params: LayerParams;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn weight_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let wide = params.inputs / 8u + 1u;
    let tiles = wide * (params.outputs / 8u);
    let chunk = i / tiles;
    if chunk * params.chunk >= params.rows {
        return;
    }
    let tile = i % tiles;
    let input = (tile % wide) * 2u;
    let output = (tile / wide) * 2u;
    let k_count = params.inputs / 4u;
    let n_count = params.outputs / 4u;
    let is_bias = input == k_count;
    var p00 = outer(vec4<f32>(0.0), vec4<f32>(0.0));
    var p01 = p00;
    var p10 = p00;
    var p11 = p00;
    for (var row = chunk * params.chunk; row < min((chunk + 1u) * params.chunk, params.rows); row++) {
        // Reading past the last input would read the next row.
        let at = row * k_count + select(input, 0u, is_bias);
        let x0 = select(x[at], vec4<f32>(1.0, 0.0, 0.0, 0.0), is_bias);
        let x1 = x[at + 1u];
        let d0 = y_grad[row * n_count + output];
        let d1 = y_grad[row * n_count + output + 1u];
        p00 += outer(x0, d0);
        p01 += outer(x0, d1);
        p10 += outer(x1, d0);
        p11 += outer(x1, d1);
    }
    let at = chunk * (params.inputs + 1u) * n_count + 4u * input * n_count + output;
    if is_bias {
        partials[at] = p00[0];
        partials[at + 1u] = p01[0];
        return;
    }
    store(at, n_count, p00);
    store(at + 1u, n_count, p01);
    store(at + 4u * n_count, n_count, p10);
    store(at + 4u * n_count + 1u, n_count, p11);
}
