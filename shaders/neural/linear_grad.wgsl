// Gradient to a layer's inputs from that to its outputs. One invocation takes 8 rows and 8 inputs.
//#use common/index, common/layer
@group(0) @binding(0) var<uniform> params: LayerParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x_grad: array<vec4<f32>>;

fn store(at: u32, value: vec4<f32>) {
    x_grad[at] = select(vec4<f32>(0.0), value, vec4<bool>(params.cut == 0u) | (x[at] > vec4<f32>(0.0)));
}

@compute @workgroup_size(64)
fn linear_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let blocks = params.rows / 8u;
    if i >= blocks * ((params.inputs - params.first) / 8u) {
        return;
    }
    let row = (i % blocks) * 8u;
    let input = params.first + (i / blocks) * 8u;
    let k_count = params.inputs / 4u;
    let n_count = params.outputs / 4u;
    var a0 = vec4<f32>(0.0);
    var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
    var w = params.weights + input * n_count;
    var at = row * n_count;
    for (var n = 0u; n < n_count; n++) {
        let u = mat4x4<f32>(weights[w], weights[w + n_count], weights[w + 2u * n_count], weights[w + 3u * n_count]);
        let v = mat4x4<f32>(weights[w + 4u * n_count], weights[w + 5u * n_count], weights[w + 6u * n_count], weights[w + 7u * n_count]);
        let d0 = y_grad[at];
        let d1 = y_grad[at + n_count];
        let d2 = y_grad[at + 2u * n_count];
        let d3 = y_grad[at + 3u * n_count];
        let d4 = y_grad[at + 4u * n_count];
        let d5 = y_grad[at + 5u * n_count];
        let d6 = y_grad[at + 6u * n_count];
        let d7 = y_grad[at + 7u * n_count];
        a0 += d0 * u; b0 += d0 * v;
        a1 += d1 * u; b1 += d1 * v;
        a2 += d2 * u; b2 += d2 * v;
        a3 += d3 * u; b3 += d3 * v;
        a4 += d4 * u; b4 += d4 * v;
        a5 += d5 * u; b5 += d5 * v;
        a6 += d6 * u; b6 += d6 * v;
        a7 += d7 * u; b7 += d7 * v;
        w += 1u;
        at += 1u;
    }
    let out = row * k_count + input / 4u;
    store(out, a0); store(out + 1u, b0);
    store(out + k_count, a1); store(out + k_count + 1u, b1);
    store(out + 2u * k_count, a2); store(out + 2u * k_count + 1u, b2);
    store(out + 3u * k_count, a3); store(out + 3u * k_count + 1u, b3);
    store(out + 4u * k_count, a4); store(out + 4u * k_count + 1u, b4);
    store(out + 5u * k_count, a5); store(out + 5u * k_count + 1u, b5);
    store(out + 6u * k_count, a6); store(out + 6u * k_count + 1u, b6);
    store(out + 7u * k_count, a7); store(out + 7u * k_count + 1u, b7);
}
