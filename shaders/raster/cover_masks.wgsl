// One bit a pixel: set where a triangle is seen. One invocation a word of 32 pixels.
//#use common/index, common/camera
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> masks: array<u32>;

@compute @workgroup_size(64)
fn cover_masks(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = flat_index(id, groups, 64u);
    if word >= arrayLength(&masks) {
        return;
    }
    let begin = word * 32u;
    var mask = 0u;
    // Words beyond this region, in memory made for the largest, become empty.
    if begin < view.width * view.height {
        for (var k = 0u; k < 32u; k++) {
            mask |= select(0u, 1u << k, ids[begin + k] != 0u);
        }
    }
    masks[word] = mask;
}
