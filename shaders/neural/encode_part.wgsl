// A part of an image's inputs for the screen-space network, rows of pixels. Parts 0 to 2: the 87 numbers of the camera-space
// normal, the albedo or the rest position as in encode_paper, 0. Part 3: the ray, 1, 20 features. Pixels that see nothing are
// zero. One invocation a pixel.
//#use common/index, common/encode, common/octaves
struct PartParams {
    part: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<uniform> which: PartParams;
@group(0) @binding(2) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> inputs: array<f32>;

@compute @workgroup_size(64)
fn encode_part(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let wide = select(88u, 24u, which.part == 3u);
    let out = row * wide;
    if all(samples[at + 3u].xyz == vec3<u32>(0u)) {
        for (var k = 0u; k < wide; k++) {
            inputs[out + k] = 0.0;
        }
        return;
    }
    // The whole view is told where it is seen from, or none of it.
    let t = told(params.seed, params.dropped, 0u);
    if which.part < 3u {
        encode_vector(out, select(1.0, t, which.part == 0u) * bitcast<vec3<f32>>(samples[at + which.part].xyz));
        inputs[out + 87u] = 0.0;
        return;
    }
    let ray = t * bitcast<vec3<f32>>(samples[at + 3u].xyz);
    inputs[out] = ray.x;
    inputs[out + 1u] = ray.y;
    inputs[out + 2u] = ray.z;
    inputs[out + 3u] = 1.0;
    for (var k = 0u; k < FEATURES / 4u; k++) {
        let f = features_at(at, k);
        let begin = out + 4u + 4u * k;
        inputs[begin] = f.x;
        inputs[begin + 1u] = f.y;
        inputs[begin + 2u] = f.z;
        inputs[begin + 3u] = f.w;
    }
}
