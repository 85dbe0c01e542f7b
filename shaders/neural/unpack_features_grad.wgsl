// Fixed-point sums of the features' gradient -> floats, with what pulls features to zero; the sums are zeroed for the next
// step. One invocation a number.
//#use common/index, common/fixed_point
struct UnpackFeaturesParams {
    scale: f32,
    decay: f32,
    pad0: u32,
    pad1: u32,
}
@group(0) @binding(0) var<uniform> params: UnpackFeaturesParams;
@group(0) @binding(1) var<storage, read> features: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<i32>;
@group(0) @binding(3) var<storage, read_write> features_grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> overflow: array<atomic<u32>>;

const GUARD: i32 = 1073741824;

@compute @workgroup_size(64)
fn unpack_features_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= arrayLength(&features) {
        return;
    }
    let raw = sums[i];
    sums[i] = 0;
    if abs(raw) > GUARD {
        atomicAdd(&overflow[0], 1u);
    }
    features_grad[i] = params.scale * from_fixed(raw) + params.decay * features[i];
}
