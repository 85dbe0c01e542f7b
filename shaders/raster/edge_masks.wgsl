// One bit a pixel: set where a silhouette may lie between it and a neighbour, which is all that antialiasing looks at. One invocation a word of 32 pixels, which lie in one row (widths are multiples of 64).
//#use common/index, common/camera, common/ids
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> masks: array<u32>;

@compute @workgroup_size(64)
fn edge_masks(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = flat_index(id, groups, 64u);
    if word >= arrayLength(&masks) {
        return;
    }
    let begin = word * 32u;
    var mask = 0u;
    if begin < view.width * view.height {
        let x = begin % view.width;
        let y = begin / view.width;
        // Outside the region a pixel has no neighbour: it is taken for its own.
        let above = select(0u, view.width, y > 0u);
        let below = select(0u, view.width, y + 1u < view.height);
        let end = select(1u, 0u, x + 32u == view.width);
        var own = ids[begin];
        var left = ids[select(begin, begin - 1u, x > 0u)];
        for (var k = 0u; k < 32u; k++) {
            let pixel = begin + k;
            let right = ids[pixel + select(end, 1u, k < 31u)];
            let edge = may_be_edge(own, left) || may_be_edge(own, right)
                || may_be_edge(own, ids[pixel - above]) || may_be_edge(own, ids[pixel + below]);
            mask |= select(0u, 1u << k, edge);
            left = own;
            own = right;
        }
    }
    masks[word] = mask;
}
