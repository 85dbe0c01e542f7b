// Gradient of the light prior: half the squared distance of each view's nine SH coefficients from their weighted mean over
// the rig; gains are free. One invocation a view and coefficient.
//#use common/index
struct LightPriorParams {
    share: f32,  // part of the views that a step sees
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
@group(0) @binding(0) var<uniform> params: LightPriorParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> lights: array<f32>;
@group(0) @binding(3) var<storage, read_write> lights_grad: array<f32>;

@compute @workgroup_size(64)
fn light_prior(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let views = arrayLength(&weights);
    let view = i / 9u;
    if view >= views || weights[view] == 0.0 {
        return;
    }
    let k = i % 9u;
    var sum = 0.0;
    var weight = 0.0;
    for (var v = 0u; v < views; v++) {
        sum += weights[v] * lights[v * 12u + k];
        weight += weights[v];
    }
    let at = view * 12u + k;
    lights_grad[at] += params.share * weights[view] * (lights[at] - sum / weight);
}
