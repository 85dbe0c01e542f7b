// Rows of 48 inputs: camera-space normal, albedo, shaded colour, rest position, its sine, ray, mirrored ray, cosine, 0 0,
// 20 features, 0 0 0 0. One invocation a row.
//#use common/index, common/encode
@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> inputs: array<vec4<f32>>;

const PI: f32 = 3.14159265;

@compute @workgroup_size(64)
fn encode_compact(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let out = row * 12u;
    let t = told(params.seed, params.dropped, row);
    let n = t * bitcast<vec3<f32>>(samples[at].xyz);
    let rho = bitcast<vec3<f32>>(samples[at + 1u].xyz);
    let rest = bitcast<vec3<f32>>(samples[at + 2u].xyz);
    let ray = t * bitcast<vec3<f32>>(samples[at + 3u].xyz);
    let shaded = bitcast<vec3<f32>>(samples[at + 4u].xyz);
    let mirrored = t * bitcast<vec4<f32>>(samples[at + 6u]);
    let wave = sin(PI * rest);
    inputs[out] = vec4<f32>(n, rho.x);
    inputs[out + 1u] = vec4<f32>(rho.yz, shaded.xy);
    inputs[out + 2u] = vec4<f32>(shaded.z, rest);
    inputs[out + 3u] = vec4<f32>(wave, ray.x);
    inputs[out + 4u] = vec4<f32>(ray.yz, mirrored.xy);
    inputs[out + 5u] = vec4<f32>(mirrored.zw, 0.0, 0.0);
    for (var k = 0u; k < FEATURES / 4u; k++) {
        inputs[out + 6u + k] = features_at(at, k);
    }
    inputs[out + 11u] = vec4<f32>(0.0);
}
