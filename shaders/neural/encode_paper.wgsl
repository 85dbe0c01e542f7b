// Rows of 288 inputs, as published: camera-space normal, albedo and rest position, each as a tenth of itself with sines and
// cosines of its components along the 21 directions of an icosahedron in two octaves (Barron et al. 2022, Mip-NeRF 360),
// 87 numbers; the ray; 20 features; 0 0 0 0. One invocation a row.
//#use common/index, common/encode, common/octaves
@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> inputs: array<f32>;

@compute @workgroup_size(64)
fn encode_paper(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let out = row * 288u;
    let t = told(params.seed, params.dropped, row);
    encode_vector(out, t * bitcast<vec3<f32>>(samples[at].xyz));
    encode_vector(out + 87u, bitcast<vec3<f32>>(samples[at + 1u].xyz));
    encode_vector(out + 174u, bitcast<vec3<f32>>(samples[at + 2u].xyz));
    let ray = t * bitcast<vec3<f32>>(samples[at + 3u].xyz);
    inputs[out + 261u] = ray.x;
    inputs[out + 262u] = ray.y;
    inputs[out + 263u] = ray.z;
    for (var k = 0u; k < FEATURES / 4u; k++) {
        let f = features_at(at, k);
        let begin = out + 264u + 4u * k;
        inputs[begin] = f.x;
        inputs[begin + 1u] = f.y;
        inputs[begin + 2u] = f.z;
        inputs[begin + 3u] = f.w;
    }
    for (var k = 284u; k < 288u; k++) {
        inputs[out + k] = 0.0;
    }
}
