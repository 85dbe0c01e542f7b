// Adam (Kingma & Ba 2015) over a flat list of numbers, with bounds.
//#use common/index
struct AdamParams {
    rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    correction1: f32,    // 1 / (1 - beta1^t)
    correction2: f32,    // 1 / (1 - beta2^t)
    lower: f32,
    upper: f32,
}
@group(0) @binding(0) var<uniform> params: AdamParams;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> first_moment: array<f32>;
@group(0) @binding(4) var<storage, read_write> second_moment: array<f32>;

@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= arrayLength(&parameters) {
        return;
    }
    let g = gradient[i];
    let m = params.beta1 * first_moment[i] + (1.0 - params.beta1) * g;
    let s = params.beta2 * second_moment[i] + (1.0 - params.beta2) * g * g;
    first_moment[i] = m;
    second_moment[i] = s;
    let step = params.rate * m * params.correction1 / (sqrt(s * params.correction2) + params.epsilon);
    parameters[i] = clamp(parameters[i] - step, params.lower, params.upper);
}
