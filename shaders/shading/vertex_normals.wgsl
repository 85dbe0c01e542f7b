// Area-weighted vertex normals by gathering over the incident faces; .w keeps the length of the sum for the gradient.
//#use common/index
@group(0) @binding(0) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> incident_starts: array<u32>;
@group(0) @binding(2) var<storage, read> incident: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> normals: array<vec4<f32>>;

@compute @workgroup_size(64)
fn vertex_normals(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let v = flat_index(id, groups, 64u);
    if v >= arrayLength(&normals) {
        return;
    }
    let own = positions[v].xyz;
    var sum = vec3<f32>(0.0);
    for (var i = incident_starts[v]; i < incident_starts[v + 1u]; i++) {
        // The two other corners of the face, in its winding.
        let next = positions[incident[i].x].xyz;
        let last = positions[incident[i].y].xyz;
        sum += cross(next - own, last - own);
    }
    let size = length(sum);
    normals[v] = vec4<f32>(select(vec3<f32>(0.0), sum / size, size > 0.0), size);
}
