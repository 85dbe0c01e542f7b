// Gradient of `laplacian`, gathered: g_v += d_v - sum over neighbours j of d_j / valence_j.
//#use common/index
@group(0) @binding(0) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> neighbour_starts: array<u32>;
@group(0) @binding(2) var<storage, read> neighbours: array<u32>;
@group(0) @binding(3) var<storage, read_write> value_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn laplacian_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let v = flat_index(id, groups, 64u);
    if v >= arrayLength(&value_grad) {
        return;
    }
    var sum = directions[v].xyz;
    for (var i = neighbour_starts[v]; i < neighbour_starts[v + 1u]; i++) {
        let d = directions[neighbours[i]];
        sum -= d.xyz * d.w;
    }
    value_grad[v] += vec4<f32>(sum, 0.0);
}
