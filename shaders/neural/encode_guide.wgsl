// What the second network sees: rows of 16 inputs (camera-space normal, albedo, rest position, the first network's colour
// before the gain, 0 0 0 0), and samples whose shaded colour is that colour, to which the second network adds. No gradient goes
// back through the colour. One invocation a row.
//#use common/index, common/guide, common/neural_sample, common/neural_colour
@group(0) @binding(0) var<uniform> params: GuideParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> outputs: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> inputs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> guide_samples: array<vec4<u32>>;

@compute @workgroup_size(64)
fn encode_guide(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let n = bitcast<vec3<f32>>(samples[at].xyz);
    let rho = bitcast<vec3<f32>>(samples[at + 1u].xyz);
    let rest = bitcast<vec3<f32>>(samples[at + 2u].xyz);
    let first = painted(params.kind, outputs[2u * row].xyz, bitcast<vec3<f32>>(samples[at + 4u].xyz)).colour;
    inputs[4u * row] = vec4<f32>(n, rho.x);
    inputs[4u * row + 1u] = vec4<f32>(rho.yz, rest.xy);
    inputs[4u * row + 2u] = vec4<f32>(rest.z, first);
    inputs[4u * row + 3u] = vec4<f32>(0.0);
    for (var k = 0u; k < SAMPLE_STRIDE; k++) {
        guide_samples[at + k] = samples[at + k];
    }
    guide_samples[at + 4u] = bits(first, samples[at + 4u].w);
}
