// Gradient by the coefficients of the shape and pose directions: the transpose of skin_vertices' first part. One workgroup
// per (quad, group of ten columns), whose invocations take every 64th vertex; the 64 partial sums are added in order.
// Twin: hand/layer/backward.
//#use common/hand_layer
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> directions: array<f32>;
@group(0) @binding(2) var<storage, read> tile_masks: array<u32>;
@group(0) @binding(3) var<storage, read> rest_grads: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> coefficient_grads: array<vec4<f32>>; // per quad 160

var<workgroup> partial: array<array<vec4<f32>, 10>, 64>;

@compute @workgroup_size(64)
fn coefficients_grad(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let plane = layer.plane;
    let index = group.x + group.y * groups.x;
    let quad = index / 16u;
    let g = index % 16u;
    if quad >= layer.quads {
        return;
    }
    var sums: array<vec4<f32>, 10>;
    for (var tile = 0u; tile < plane / 64u; tile++) {
        if ((tile_masks[tile] >> g) & 1u) == 0u {
            continue;
        }
        let v = tile * 64u + lane;
        let from_vertex = 3u * quad * plane + v;
        let x = rest_grads[from_vertex];
        let y = rest_grads[from_vertex + plane];
        let z = rest_grads[from_vertex + 2u * plane];
        for (var i = 0u; i < GROUP; i++) {
            let at = 3u * (GROUP * g + i) * plane + v;
            sums[i] += directions[at] * x + directions[at + plane] * y + directions[at + 2u * plane] * z;
        }
    }
    for (var i = 0u; i < GROUP; i++) {
        partial[lane][i] = sums[i];
    }
    workgroupBarrier();
    if lane < GROUP {
        var total = vec4<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            total += partial[i][lane];
        }
        coefficient_grads[quad * COLUMNS + GROUP * g + lane] = total;
    }
}
