// Uniform Laplacian of values relative to a reference, (Lx)_i = x_i - mean of the neighbours: its (smoothed) length summed
// per workgroup, and the direction each vertex contributes to the gradient (.w = 1 / valence). The reference's .w is a
// factor of the vertex's own weight.
//#use common/index
struct LaplacianParams {
    weight: f32,         // of the sum of lengths, e.g. w / V
    smoothing: f32,      // length below which the norm becomes quadratic
    partial_offset: u32,
    reference: f32,      // 1: of the difference to the reference, 0: of the value itself
}
@group(0) @binding(0) var<uniform> params: LaplacianParams;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> reference_values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> neighbour_starts: array<u32>;
@group(0) @binding(4) var<storage, read> neighbours: array<u32>;
@group(0) @binding(5) var<storage, read_write> directions: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> partials: array<f32>;

var<workgroup> shared_sums: array<f32, 64>;

fn value_at(v: u32) -> vec3<f32> {
    return values[v].xyz - params.reference * reference_values[v].xyz;
}

@compute @workgroup_size(64)
fn laplacian(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let v = flat_index(id, groups, 64u);
    var value = 0.0;
    if v < arrayLength(&directions) {
        let start = neighbour_starts[v];
        let end = neighbour_starts[v + 1u];
        var mean = vec3<f32>(0.0);
        for (var i = start; i < end; i++) {
            mean += value_at(neighbours[i]);
        }
        let valence = max(f32(end - start), 1.0);
        let l = select(value_at(v) - mean / valence, vec3<f32>(0.0), end == start);
        let size = sqrt(dot(l, l) + params.smoothing * params.smoothing);
        let weight = params.weight * reference_values[v].w;
        value = weight * (size - params.smoothing);
        directions[v] = vec4<f32>(weight * l / size, 1.0 / valence);
    }
    shared_sums[local] = value;
    workgroupBarrier();
    if local == 0u {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += shared_sums[i];
        }
        partials[params.partial_offset + group.x + group.y * groups.x] = sum;
    }
}
