// The pixels whose bit is set, in order, with their words. One invocation a word of 32.
//#use common/index, common/pixel_list
@group(0) @binding(0) var<storage, read> masks: array<u32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> pixels: PixelList;

@compute @workgroup_size(64)
fn list_pixels(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = flat_index(id, groups, 64u);
    if word >= arrayLength(&masks) {
        return;
    }
    var at = offsets[word];
    for (var rest = masks[word]; rest != 0u; rest &= rest - 1u) {
        let pixel = word * 32u + firstTrailingBit(rest);
        pixels.entries[at] = vec2<u32>(pixel, ids[pixel]);
        at += 1u;
    }
    if word + 1u == arrayLength(&masks) {
        pixels.count = at;
    }
}
