// Outputs of a layer. One invocation takes 8 rows and 8 outputs, in registers; weights are read once for all 8 rows.
//#use common/index, common/layer
@group(0) @binding(0) var<uniform> params: LayerParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn store(at: u32, value: vec4<f32>) {
    y[at] = select(value, max(value, vec4<f32>(0.0)), params.cut == 1u);
}

@compute @workgroup_size(64)
fn linear(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let blocks = params.rows / 8u;
    if i >= blocks * (params.outputs / 8u) {
        return;
    }
    let row = (i % blocks) * 8u;
    let column = (i / blocks) * 2u;
    let k_count = params.inputs / 4u;
    let n_count = params.outputs / 4u;
    let bias = params.weights + params.inputs * n_count + column;
    var a0 = weights[bias];
    var b0 = weights[bias + 1u];
    var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b1 = b0; var b2 = b0; var b3 = b0; var b4 = b0; var b5 = b0; var b6 = b0; var b7 = b0;
    var w = params.weights + column;
    var at = row * k_count;
    for (var k = 0u; k < k_count; k++) {
        let u = mat4x4<f32>(weights[w], weights[w + n_count], weights[w + 2u * n_count], weights[w + 3u * n_count]);
        let v = mat4x4<f32>(weights[w + 1u], weights[w + n_count + 1u], weights[w + 2u * n_count + 1u], weights[w + 3u * n_count + 1u]);
        let x0 = x[at];
        let x1 = x[at + k_count];
        let x2 = x[at + 2u * k_count];
        let x3 = x[at + 3u * k_count];
        let x4 = x[at + 4u * k_count];
        let x5 = x[at + 5u * k_count];
        let x6 = x[at + 6u * k_count];
        let x7 = x[at + 7u * k_count];
        a0 += u * x0; b0 += v * x0;
        a1 += u * x1; b1 += v * x1;
        a2 += u * x2; b2 += v * x2;
        a3 += u * x3; b3 += v * x3;
        a4 += u * x4; b4 += v * x4;
        a5 += u * x5; b5 += v * x5;
        a6 += u * x6; b6 += v * x6;
        a7 += u * x7; b7 += v * x7;
        w += 4u * n_count;
        at += 1u;
    }
    let out = row * n_count + column;
    store(out, a0); store(out + 1u, b0);
    store(out + n_count, a1); store(out + n_count + 1u, b1);
    store(out + 2u * n_count, a2); store(out + 2u * n_count + 1u, b2);
    store(out + 3u * n_count, a3); store(out + 3u * n_count + 1u, b3);
    store(out + 4u * n_count, a4); store(out + 4u * n_count + 1u, b4);
    store(out + 5u * n_count, a5); store(out + 5u * n_count + 1u, b5);
    store(out + 6u * n_count, a6); store(out + 6u * n_count + 1u, b6);
    store(out + 7u * n_count, a7); store(out + 7u * n_count + 1u, b7);
}
