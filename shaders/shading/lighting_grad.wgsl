// Gradient of `shade` to the 12 numbers of the view's light, summed per workgroup in a fixed order:
// partials[group * 12 + k]. A fixed number of workgroups shares the covered pixels in strides.
//#use common/index, common/pixel_list, common/light, common/surface
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> covered: PixelList;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> colours_grad: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> partials: array<vec4<f32>>;

var<workgroup> shared_sums: array<vec4<f32>, 192>;

@compute @workgroup_size(64)
fn lighting_grad(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let light = light_of_view();
    var d0 = vec4<f32>(0.0);
    var d1 = vec4<f32>(0.0);
    var d2 = vec4<f32>(0.0);
    let stride = groups.x * groups.y * 64u;
    for (var i = flat_index(id, groups, 64u); i < covered.count; i += stride) {
        let entry = covered.entries[i];
        let g = colours_grad[entry.x].xyz;
        let s = surface_at(entry);
        let n = s.normal;
        let rho = albedo_at(s);
        let r = sh_dot(light.c, n);
        let d_r = dot(g, light.gain * rho);
        d0 += d_r * vec4<f32>(1.0, n.y, n.z, n.x);
        d1 += d_r * vec4<f32>(n.x * n.y, n.y * n.z, 2.0 * n.z * n.z - n.x * n.x - n.y * n.y, n.z * n.x);
        d2 += vec4<f32>(d_r * (n.x * n.x - n.y * n.y), g * r * rho);
    }
    shared_sums[local * 3u] = d0;
    shared_sums[local * 3u + 1u] = d1;
    shared_sums[local * 3u + 2u] = d2;
    workgroupBarrier();
    // Three invocations add 64 values each, always in the same order.
    if local < 3u {
        var sum = vec4<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            sum += shared_sums[i * 3u + local];
        }
        partials[(group.x + group.y * groups.x) * 3u + local] = sum;
    }
}
