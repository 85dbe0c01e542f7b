// Gradient of `shade`: from colours to albedo, vertex normals and positions (through the barycentrics).
// Sums over pixels go to `grads` (9 fixed-point words a vertex: albedo, normal, position per millimetre).
//#use common/index, common/pixel_list, common/light, common/surface_grad
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> covered: PixelList;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> colours_grad: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> grads: array<atomic<i32>>;

@compute @workgroup_size(64)
fn shade_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= covered.count {
        return;
    }
    let entry = covered.entries[i];
    let g = colours_grad[entry.x].xyz;
    if all(g == vec3<f32>(0.0)) {
        return;
    }
    let s = surface_at(entry);
    let f = s.corners;
    let b = s.bary;
    let n = s.normal;
    let light = light_of_view();

    let d_rho = g * light.gain * sh_dot(light.c, n);
    add_shares(s, 0u, d_rho);
    if view.geometry == 0u {
        return;
    }

    let a0 = albedo[f.x].xyz;
    let a1 = albedo[f.y].xyz;
    let a2 = albedo[f.z].xyz;
    let d_n = dot(g * light.gain, mix3(b.lambda, a0, a1, a2)) * sh_dot_grad(light.c, n);
    let d_m = (d_n - n * dot(n, d_n)) / s.m_length;
    add_shares(s, 3u, d_m);
    let d_lambda = vec3<f32>(
        dot(d_rho, a0) + dot(d_m, s.n0),
        dot(d_rho, a1) + dot(d_m, s.n1),
        dot(d_rho, a2) + dot(d_m, s.n2),
    );
    add_positions(s, d_lambda);
}
