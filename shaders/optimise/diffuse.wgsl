// One Chebyshev iteration of (I + lambda L) x = g over the one-ring, L the uniform Laplacian. The Jacobi iterate
// j_v = (g_v + lambda * mean of the neighbours' x) / (1 + lambda) is stretched against the iterate before last, which
// `improved` holds: x_v <- omega * j_v + (1 - omega) * x'_v.
//#use common/index
struct DiffuseParams {
    lambda: f32,
    omega: f32,
    pad0: u32,
    pad1: u32,
}
@group(0) @binding(0) var<uniform> params: DiffuseParams;
@group(0) @binding(1) var<storage, read> right_side: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> current: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> neighbour_starts: array<u32>;
@group(0) @binding(4) var<storage, read> neighbours: array<u32>;
@group(0) @binding(5) var<storage, read_write> improved: array<vec4<f32>>;

@compute @workgroup_size(64)
fn diffuse(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let v = flat_index(id, groups, 64u);
    if v >= arrayLength(&improved) {
        return;
    }
    let start = neighbour_starts[v];
    let end = neighbour_starts[v + 1u];
    var sum = vec3<f32>(0.0);
    for (var i = start; i < end; i++) {
        sum += current[neighbours[i]].xyz;
    }
    let mean = sum / max(f32(end - start), 1.0);
    let jacobi = (right_side[v].xyz + params.lambda * mean) / (1.0 + params.lambda);
    improved[v] = vec4<f32>(params.omega * jacobi + (1.0 - params.omega) * improved[v].xyz, 0.0);
}
