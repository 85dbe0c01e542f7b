// Edge-length and displacement terms, value and gradient, gathered over neighbours:
// edge: mean over edges of clip(e^2 - mean e0^2, 0, 1) (each vertex counts half of each of its edges);
// delta: mean over vertices of |x - x0|^2.
//#use common/index
struct ShapePriorParams {
    edge_weight: f32,        // w_edge / E
    edge_mean_squared: f32,  // mean squared edge length at the start, m^2
    edge_clip: f32,          // 1 in squared published units, in m^2
    delta_weight: f32,       // w_delta / V
    partial_offset: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
@group(0) @binding(0) var<uniform> params: ShapePriorParams;
@group(0) @binding(1) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> start_positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> neighbour_starts: array<u32>;
@group(0) @binding(4) var<storage, read> neighbours: array<u32>;
@group(0) @binding(5) var<storage, read_write> position_grad: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> partials: array<f32>;

var<workgroup> shared_sums: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn shape_prior(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let v = flat_index(id, groups, 64u);
    var value = vec2<f32>(0.0);
    if v < arrayLength(&position_grad) {
        let own = positions[v].xyz;
        let delta = own - start_positions[v].xyz;
        value.y = params.delta_weight * dot(delta, delta);
        var g = 2.0 * params.delta_weight * delta;
        for (var i = neighbour_starts[v]; i < neighbour_starts[v + 1u]; i++) {
            let e = own - positions[neighbours[i]].xyz;
            let excess = dot(e, e) - params.edge_mean_squared;
            value.x += 0.5 * params.edge_weight * clamp(excess, 0.0, params.edge_clip);
            if excess > 0.0 && excess < params.edge_clip {
                g += 2.0 * params.edge_weight * e;
            }
        }
        position_grad[v] += vec4<f32>(g, 0.0);
    }
    shared_sums[local] = value;
    workgroupBarrier();
    if local == 0u {
        var sum = vec2<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            sum += shared_sums[i];
        }
        let at = params.partial_offset + (group.x + group.y * groups.x) * 2u;
        partials[at] = sum.x;
        partials[at + 1u] = sum.y;
    }
}
