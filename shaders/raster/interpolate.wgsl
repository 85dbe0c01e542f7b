// What is seen at every covered pixel of a region: perspective-correct barycentrics and depth, and any number of vertex
// attributes interpolated by them. One invocation a covered pixel; the others keep what they hold.
//#use common/index, common/pixel_list, common/interpolation
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> params: InterpolateParams;
@group(0) @binding(2) var<storage, read> covered: PixelList;
@group(0) @binding(3) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> attributes: array<f32>;
@group(0) @binding(6) var<storage, read_write> values: array<f32>;
@group(0) @binding(7) var<storage, read_write> surface: array<vec4<f32>>;

@compute @workgroup_size(64)
fn interpolate(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= covered.count {
        return;
    }
    let entry = covered.entries[i];
    let seen = seen_at(entry);
    let lambda = seen.bary.lambda;
    surface[entry.x] = vec4<f32>(lambda, dot(lambda, seen.depths));
    let a = seen.corners.x * params.numbers;
    let b = seen.corners.y * params.numbers;
    let c = seen.corners.z * params.numbers;
    let to = entry.x * params.numbers;
    for (var k = 0u; k < params.numbers; k++) {
        values[to + k] = dot(lambda, vec3<f32>(attributes[a + k], attributes[b + k], attributes[c + k]));
    }
}
