// Gradient of `interpolate`: from values, barycentrics and depth to attributes and positions, summed over pixels in fixed
// point. Positions (per millimetre) are the last three of a vertex's words in `grads`.
//#use common/index, common/pixel_list, common/interpolation, common/fixed_point
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> params: InterpolateParams;
@group(0) @binding(2) var<storage, read> covered: PixelList;
@group(0) @binding(3) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> attributes: array<f32>;
@group(0) @binding(6) var<storage, read> values_grad: array<f32>;
@group(0) @binding(7) var<storage, read> surface_grad: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> attributes_grad: array<atomic<i32>>;
@group(0) @binding(9) var<storage, read_write> grads: array<atomic<i32>>;

fn add_position(vertex: u32, value: vec3<f32>) {
    let words = arrayLength(&grads) / arrayLength(&positions);
    let at = (vertex + 1u) * words - 3u;
    atomicAdd(&grads[at], to_fixed(value.x));
    atomicAdd(&grads[at + 1u], to_fixed(value.y));
    atomicAdd(&grads[at + 2u], to_fixed(value.z));
}

@compute @workgroup_size(64)
fn interpolate_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= covered.count {
        return;
    }
    let entry = covered.entries[i];
    let seen = seen_at(entry);
    let lambda = seen.bary.lambda;
    let d_surface = surface_grad[entry.x];
    // The barycentrics' own gradient, that of depth and that of every attribute.
    var d_lambda = d_surface.xyz + d_surface.w * seen.depths;
    let a = seen.corners.x * params.numbers;
    let b = seen.corners.y * params.numbers;
    let c = seen.corners.z * params.numbers;
    let from_pixel = entry.x * params.numbers;
    for (var k = 0u; k < params.numbers; k++) {
        let g = values_grad[from_pixel + k];
        if g != 0.0 {
            d_lambda += g * vec3<f32>(attributes[a + k], attributes[b + k], attributes[c + k]);
            atomicAdd(&attributes_grad[a + k], to_fixed(g * lambda.x));
            atomicAdd(&attributes_grad[b + k], to_fixed(g * lambda.y));
            atomicAdd(&attributes_grad[c + k], to_fixed(g * lambda.z));
        }
    }
    if view.geometry == 0u || (all(d_lambda == vec3<f32>(0.0)) && d_surface.w == 0.0) {
        return;
    }
    let bary = seen.bary;
    // A sliver seen edge-on has weights without a gradient.
    let d_b = select(vec3<f32>(0.0), (d_lambda - dot(d_lambda, lambda)) / bary.sum, abs(bary.sum) > 1e-12);
    let d_u0 = d_b.y * vec2<f32>(-bary.u2.y, bary.u2.x) + d_b.z * vec2<f32>(bary.u1.y, -bary.u1.x);
    let d_u1 = d_b.z * vec2<f32>(-bary.u0.y, bary.u0.x) + d_b.x * vec2<f32>(bary.u2.y, -bary.u2.x);
    let d_u2 = d_b.x * vec2<f32>(-bary.u1.y, bary.u1.x) + d_b.y * vec2<f32>(bary.u0.y, -bary.u0.x);
    // u = h.xy - p h.z, and depth is h.z by the weights.
    let d_z = d_surface.w * lambda;
    add_position(seen.corners.x, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u0, d_z.x - dot(seen.centre, d_u0))));
    add_position(seen.corners.y, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u1, d_z.y - dot(seen.centre, d_u1))));
    add_position(seen.corners.z, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u2, d_z.z - dot(seen.centre, d_u2))));
}
