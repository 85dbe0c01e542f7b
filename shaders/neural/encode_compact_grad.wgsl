// Gradient of `encode_compact`: from the 48 inputs to what the sample says, added to what is there. One invocation a row.
//#use common/index, common/encode_grad
@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inputs_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> samples_grad: array<vec4<f32>>;

const PI: f32 = 3.14159265;

@compute @workgroup_size(64)
fn encode_compact_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let from_row = row * 12u;
    let t = told(params.seed, params.dropped, row);
    let a = inputs_grad[from_row];
    let b = inputs_grad[from_row + 1u];
    let c = inputs_grad[from_row + 2u];
    let d = inputs_grad[from_row + 3u];
    let e = inputs_grad[from_row + 4u];
    let f = inputs_grad[from_row + 5u];
    let rest = bitcast<vec3<f32>>(samples[at + 2u].xyz);
    add_grad(at, t * a.xyz);
    add_grad(at + 1u, vec3<f32>(a.w, b.xy));
    add_grad(at + 2u, c.yzw + PI * cos(PI * rest) * d.xyz);
    add_grad(at + 3u, t * vec3<f32>(d.w, e.xy));
    add_grad(at + 4u, vec3<f32>(b.zw, c.x));
    samples_grad[at + 6u] += t * vec4<f32>(e.zw, f.xy);
    var weights = vec3<f32>(0.0);
    for (var k = 0u; k < FEATURES / 4u; k++) {
        weights += lambda_grad(at, k, inputs_grad[from_row + 6u + k]);
    }
    add_grad(at + 5u, weights);
}
