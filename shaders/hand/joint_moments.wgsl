// Moments sum_v w_j g (v, 1)' of each joint, g the gradient by the posed vertex, v the rest vertex: rows of 4, 12 numbers.
// "Joint" 16 has weight one everywhere: its last column is the plain sum of g. One workgroup per (quad, joint), whose
// invocations take every 64th vertex; the 64 partial sums are added in order. Twin: hand/layer/backward.
//#use common/hand_layer
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> tile_masks: array<u32>;
@group(0) @binding(3) var<storage, read> rest: array<vec4<f32>>;          // quad, coordinate, vertex
@group(0) @binding(4) var<storage, read> vertex_grads: array<vec4<f32>>;  // problem, vertex
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>; // per quad 17 x 12

var<workgroup> partial: array<array<vec4<f32>, 12>, 64>;

@compute @workgroup_size(64)
fn joint_moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let plane = layer.plane;
    let index = group.x + group.y * groups.x;
    let quad = index / 17u;
    let joint = index % 17u;
    if quad >= layer.quads {
        return;
    }
    var sums: array<vec4<f32>, 12>;
    for (var tile = 0u; tile < plane / 64u; tile++) {
        if joint < 16u && ((tile_masks[tile] >> (16u + joint)) & 1u) == 0u {
            continue;
        }
        let v = tile * 64u + lane;
        if v >= layer.vertices {
            continue;
        }
        let w = weights[joint * plane + v];
        let first = 4u * quad * layer.vertices + v;
        let a = w * vertex_grads[first].xyz;
        let b = w * vertex_grads[first + layer.vertices].xyz;
        let c = w * vertex_grads[first + 2u * layer.vertices].xyz;
        let d = w * vertex_grads[first + 3u * layer.vertices].xyz;
        let at = 3u * quad * plane + v;
        let x = rest[at];
        let y = rest[at + plane];
        let z = rest[at + 2u * plane];
        for (var r = 0u; r < 3u; r++) {
            let g = vec4<f32>(a[r], b[r], c[r], d[r]);
            sums[4u * r] += g * x;
            sums[4u * r + 1u] += g * y;
            sums[4u * r + 2u] += g * z;
            sums[4u * r + 3u] += g;
        }
    }
    for (var k = 0u; k < TRANSFORM; k++) {
        partial[lane][k] = sums[k];
    }
    workgroupBarrier();
    if lane < TRANSFORM {
        var total = vec4<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            total += partial[i][lane];
        }
        moments[(quad * 17u + joint) * TRANSFORM + lane] = total;
    }
}
