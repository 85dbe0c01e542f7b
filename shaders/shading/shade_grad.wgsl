// Gradient of `shade`: from colours to albedo, vertex normals and positions (through the barycentrics).
// Sums over pixels go to `grads` (9 fixed-point words a vertex: albedo, normal, position per millimetre).
//#use common/index, common/pixel_list, common/light, common/surface, common/fixed_point
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> covered: PixelList;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> colours_grad: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> grads: array<atomic<i32>>;

fn add(vertex: u32, slot: u32, value: vec3<f32>) {
    let at = vertex * 9u + slot;
    atomicAdd(&grads[at], to_fixed(value.x));
    atomicAdd(&grads[at + 1u], to_fixed(value.y));
    atomicAdd(&grads[at + 2u], to_fixed(value.z));
}

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
    add(f.x, 0u, b.lambda.x * d_rho);
    add(f.y, 0u, b.lambda.y * d_rho);
    add(f.z, 0u, b.lambda.z * d_rho);
    if view.geometry == 0u {
        return;
    }

    let a0 = albedo[f.x].xyz;
    let a1 = albedo[f.y].xyz;
    let a2 = albedo[f.z].xyz;
    let d_n = dot(g * light.gain, mix3(b.lambda, a0, a1, a2)) * sh_dot_grad(light.c, n);
    let d_m = (d_n - n * dot(n, d_n)) / s.m_length;
    add(f.x, 3u, b.lambda.x * d_m);
    add(f.y, 3u, b.lambda.y * d_m);
    add(f.z, 3u, b.lambda.z * d_m);

    if abs(b.sum) <= 1e-12 {
        return;
    }
    let d_lambda = vec3<f32>(
        dot(d_rho, a0) + dot(d_m, s.n0),
        dot(d_rho, a1) + dot(d_m, s.n1),
        dot(d_rho, a2) + dot(d_m, s.n2),
    );
    let d_b = (d_lambda - dot(d_lambda, b.lambda)) / b.sum;
    let d_u0 = d_b.y * vec2<f32>(-b.u2.y, b.u2.x) + d_b.z * vec2<f32>(b.u1.y, -b.u1.x);
    let d_u1 = d_b.z * vec2<f32>(-b.u0.y, b.u0.x) + d_b.x * vec2<f32>(b.u2.y, -b.u2.x);
    let d_u2 = d_b.x * vec2<f32>(-b.u1.y, b.u1.x) + d_b.y * vec2<f32>(b.u0.y, -b.u0.x);
    // u = h.xy - p h.z
    add(f.x, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u0, -dot(s.centre, d_u0))));
    add(f.y, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u1, -dot(s.centre, d_u1))));
    add(f.z, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u2, -dot(s.centre, d_u2))));
}
