// From what shading knows about a pixel back to the corners of its triangle: fixed-point sums in `grads`, 9 words a vertex
// (albedo, normal, position per millimetre). Names the kernel's `view` and `grads`, and what common/surface names.
//#use common/surface, common/fixed_point

fn add(vertex: u32, slot: u32, value: vec3<f32>) {
    let at = vertex * 9u + slot;
    atomicAdd(&grads[at], to_fixed(value.x));
    atomicAdd(&grads[at + 1u], to_fixed(value.y));
    atomicAdd(&grads[at + 2u], to_fixed(value.z));
}

// Adds the barycentrics' shares of a gradient.
fn add_shares(s: Surface, slot: u32, value: vec3<f32>) {
    add(s.corners.x, slot, s.bary.lambda.x * value);
    add(s.corners.y, slot, s.bary.lambda.y * value);
    add(s.corners.z, slot, s.bary.lambda.z * value);
}

// Adds to the positions what comes through the barycentrics.
fn add_positions(s: Surface, d_lambda: vec3<f32>) {
    let f = s.corners;
    let b = s.bary;
    if abs(b.sum) <= 1e-12 {
        return;
    }
    let d_b = (d_lambda - dot(d_lambda, b.lambda)) / b.sum;
    let d_u0 = d_b.y * vec2<f32>(-b.u2.y, b.u2.x) + d_b.z * vec2<f32>(b.u1.y, -b.u1.x);
    let d_u1 = d_b.z * vec2<f32>(-b.u0.y, b.u0.x) + d_b.x * vec2<f32>(b.u2.y, -b.u2.x);
    let d_u2 = d_b.x * vec2<f32>(-b.u1.y, b.u1.x) + d_b.y * vec2<f32>(b.u0.y, -b.u0.x);
    // u = h.xy - p h.z
    add(f.x, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u0, -dot(s.centre, d_u0))));
    add(f.y, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u1, -dot(s.centre, d_u1))));
    add(f.z, 6u, 1e-3 * to_pixel_grad(view, vec3<f32>(d_u2, -dot(s.centre, d_u2))));
}
