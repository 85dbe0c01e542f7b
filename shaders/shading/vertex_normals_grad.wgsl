// Gradient of `vertex_normals`: from the gradients of the un-normalised sums to positions, gathered over incident faces.
// For a face (a, b, c) with normal N = (b - a) x (c - a) and D = dN the sum over its corners:
// da = (b - c) x D ... per corner: d(own) = (next - last) x D.
//#use common/index
@group(0) @binding(0) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> incident_starts: array<u32>;
@group(0) @binding(2) var<storage, read> incident: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> sums_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> position_grad: array<vec4<f32>>;

@compute @workgroup_size(64)
fn vertex_normals_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let v = flat_index(id, groups, 64u);
    if v >= arrayLength(&position_grad) {
        return;
    }
    let own_grad = sums_grad[v].xyz;
    var sum = vec3<f32>(0.0);
    for (var i = incident_starts[v]; i < incident_starts[v + 1u]; i++) {
        let next = incident[i].x;
        let last = incident[i].y;
        let d = own_grad + sums_grad[next].xyz + sums_grad[last].xyz;
        sum += cross(positions[next].xyz - positions[last].xyz, d);
    }
    position_grad[v] += vec4<f32>(sum, 0.0);
}
