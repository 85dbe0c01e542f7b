// Gradient of `encode_paper`: from the 288 inputs to what the sample says, added to what is there. One invocation a row.
//#use common/index, common/encode_grad
@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inputs_grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> samples_grad: array<vec4<f32>>;

fn three(at: u32) -> vec3<f32> {
    return vec3<f32>(inputs_grad[at], inputs_grad[at + 1u], inputs_grad[at + 2u]);
}

// Gradient to a vector whose 87 numbers begin at `begin`.
fn vector_grad(begin: u32, v: vec3<f32>) -> vec3<f32> {
    let x = 0.1 * v;
    var g = three(begin);
    var at = begin + 3u;
    var scale = 1.0;
    for (var octave = 0u; octave < params.octaves; octave++) {
        for (var k = 0u; k < 21u; k++) {
            let along = scale * dot(params.basis[k].xyz, x);
            g += scale * (cos(along) * inputs_grad[at] - sin(along) * inputs_grad[at + 21u]) * params.basis[k].xyz;
            at += 1u;
        }
        at += 21u;
        scale *= 2.0;
    }
    return 0.1 * g;
}

@compute @workgroup_size(64)
fn encode_paper_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let from_row = row * 288u;
    let t = told(params.seed, params.dropped, row);
    add_grad(at, t * vector_grad(from_row, t * bitcast<vec3<f32>>(samples[at].xyz)));
    add_grad(at + 1u, vector_grad(from_row + 87u, bitcast<vec3<f32>>(samples[at + 1u].xyz)));
    add_grad(at + 2u, vector_grad(from_row + 174u, bitcast<vec3<f32>>(samples[at + 2u].xyz)));
    add_grad(at + 3u, t * three(from_row + 261u));
    var weights = vec3<f32>(0.0);
    for (var k = 0u; k < FEATURES / 4u; k++) {
        let begin = from_row + 264u + 4u * k;
        weights += lambda_grad(at, k, vec4<f32>(three(begin), inputs_grad[begin + 3u]));
    }
    add_grad(at + 5u, weights);
}
