// Fixed-point pixel sums -> float gradients (albedo, position, normal sum), and zeroes them for the next step.
// The normal's gradient is taken through its normalisation here: d(sum) = (g - n (n.g)) / |sum|.
//#use common/index, common/fixed_point
struct UnpackParams {
    scale: f32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
@group(0) @binding(0) var<uniform> params: UnpackParams;
@group(0) @binding(1) var<storage, read_write> grads: array<i32>;
@group(0) @binding(2) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> albedo_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> position_grad: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> sums_grad: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> overflow: array<atomic<u32>>;

const GUARD: i32 = 1073741824;

fn take(at: u32) -> vec3<f32> {
    let raw = vec3<i32>(grads[at], grads[at + 1u], grads[at + 2u]);
    grads[at] = 0;
    grads[at + 1u] = 0;
    grads[at + 2u] = 0;
    if any(abs(raw) > vec3<i32>(GUARD)) {
        atomicAdd(&overflow[0], 1u);
    }
    return vec3<f32>(from_fixed(raw.x), from_fixed(raw.y), from_fixed(raw.z)) * params.scale;
}

@compute @workgroup_size(64)
fn unpack_grads(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let v = flat_index(id, groups, 64u);
    if v >= arrayLength(&normals) {
        return;
    }
    albedo_grad[v] = vec4<f32>(take(v * 9u), 0.0);
    let g = take(v * 9u + 3u);
    let n = normals[v];
    // A vertex whose normals cancel has no direction to move its normal in.
    let d = (g - n.xyz * dot(n.xyz, g)) / max(n.w, 1e-20);
    sums_grad[v] = vec4<f32>(select(vec3<f32>(0.0), d, n.w > 1e-20), 0.0);
    // Position sums are per millimetre.
    position_grad[v] = vec4<f32>(take(v * 9u + 6u) * 1000.0, 0.0);
}
