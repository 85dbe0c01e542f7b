// The triangles whose bit is set, in order: corners and `triangle + 1`. One invocation a word of 32.
//#use common/index
@group(0) @binding(0) var<storage, read> masks: array<u32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> drawn: array<vec4<u32>>;

@compute @workgroup_size(64)
fn list_triangles(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = flat_index(id, groups, 64u);
    if word >= arrayLength(&masks) {
        return;
    }
    var at = offsets[word];
    for (var rest = masks[word]; rest != 0u; rest &= rest - 1u) {
        let triangle = word * 32u + firstTrailingBit(rest);
        drawn[at] = vec4<u32>(faces[triangle].xyz, triangle + 1u);
        at += 1u;
    }
}
