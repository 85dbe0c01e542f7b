// Gradient of `shade` to the 12 numbers of the view's light, summed per workgroup in a fixed order:
// partials[group * 12 + k]. One invocation a pixel.
//#use common/index, common/ids, common/surface
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<f32>;
@group(0) @binding(7) var<storage, read> colours_grad: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> partials: array<f32>;

var<workgroup> shared_sums: array<array<f32, 12>, 64>;

@compute @workgroup_size(64)
fn lighting_grad(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixel = flat_index(id, groups, 64u);
    var d: array<f32, 12>;
    for (var k = 0u; k < 12u; k++) {
        d[k] = 0.0;
    }
    if pixel < view.width * view.height {
        let triangle = triangle_of(ids[pixel]);
        let g = colours_grad[pixel].xyz;
        if triangle != 0u && any(g != vec3<f32>(0.0)) {
            let s = surface_at(triangle - 1u, pixel);
            let n = s.normal;
            let rho = albedo_at(s);
            let light = light_of_view();
            let r = sh_dot(light.c, n);
            let d_r = dot(g, light.gain * rho);
            d[0] = d_r;
            d[1] = d_r * n.y;
            d[2] = d_r * n.z;
            d[3] = d_r * n.x;
            d[4] = d_r * n.x * n.y;
            d[5] = d_r * n.y * n.z;
            d[6] = d_r * (2.0 * n.z * n.z - n.x * n.x - n.y * n.y);
            d[7] = d_r * n.z * n.x;
            d[8] = d_r * (n.x * n.x - n.y * n.y);
            d[9] = g.x * r * rho.x;
            d[10] = g.y * r * rho.y;
            d[11] = g.z * r * rho.z;
        }
    }
    for (var k = 0u; k < 12u; k++) {
        shared_sums[local][k] = d[k];
    }
    workgroupBarrier();
    // 12 invocations add 64 values each, always in the same order.
    if local < 12u {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += shared_sums[i][local];
        }
        partials[(group.x + group.y * groups.x) * 12u + local] = sum;
    }
}
