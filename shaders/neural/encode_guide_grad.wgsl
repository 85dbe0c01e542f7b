// Where the gradient to a sample begins: from the second network's inputs to normal, albedo and rest position, and from the first
// network's outputs to the shaded colour that they add to or multiply. Everything else becomes zero. One invocation a row.
//#use common/index, common/guide, common/neural_sample, common/neural_colour
@group(0) @binding(0) var<uniform> params: GuideParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> outputs_grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inputs_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> samples_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn encode_guide_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = flat_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let at = row * SAMPLE_STRIDE;
    let a = params.weight * inputs_grad[4u * row];
    let b = params.weight * inputs_grad[4u * row + 1u];
    let c = params.weight * inputs_grad[4u * row + 2u];
    let shaded = bitcast<vec3<f32>>(samples[at + 4u].xyz);
    let g = outputs_grad[2u * row].xyz;
    var d_shaded = select(vec3<f32>(0.0), g, params.kind == RESIDUAL);
    if params.kind == RATIO {
        // The outputs' gradient holds the colour, shaded times their exponential.
        d_shaded = select(vec3<f32>(0.0), g / shaded, abs(shaded) > vec3<f32>(1e-6));
    }
    samples_grad[at] = vec4<f32>(a.xyz, 0.0);
    samples_grad[at + 1u] = vec4<f32>(a.w, b.xy, 0.0);
    samples_grad[at + 2u] = vec4<f32>(b.zw, c.x, 0.0);
    samples_grad[at + 3u] = vec4<f32>(0.0);
    samples_grad[at + 4u] = vec4<f32>(d_shaded, 0.0);
    samples_grad[at + 5u] = vec4<f32>(0.0);
    samples_grad[at + 6u] = vec4<f32>(0.0);
}
