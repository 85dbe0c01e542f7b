// Rotations by axis-angle vectors (Rodrigues) and the left Jacobian J_l of SO(3): dR(v)/dv_k = [J_l e_k]x R(v).
// Matrices are columns, as everywhere in WGSL.

fn cross_matrix(v: vec3<f32>) -> mat3x3<f32> {
    return mat3x3<f32>(vec3<f32>(0.0, v.z, -v.y), vec3<f32>(-v.z, 0.0, v.x), vec3<f32>(v.y, -v.x, 0.0));
}

// sin a / a, (1 - cos a) / a^2, (a - sin a) / a^3 of the angle a = sqrt(squared); a series where f32 would cancel.
fn rotation_coefficients(squared: f32) -> vec3<f32> {
    if (squared < 0.01) {
        let s = squared;
        return vec3<f32>(1.0 - s / 6.0 + s * s / 120.0, 0.5 - s / 24.0 + s * s / 720.0, 1.0 / 6.0 - s / 120.0 + s * s / 5040.0);
    }
    let a = sqrt(squared);
    return vec3<f32>(sin(a) / a, (1.0 - cos(a)) / squared, (a - sin(a)) / (squared * a));
}

fn identity() -> mat3x3<f32> {
    return mat3x3<f32>(vec3<f32>(1.0, 0.0, 0.0), vec3<f32>(0.0, 1.0, 0.0), vec3<f32>(0.0, 0.0, 1.0));
}

fn rotation_from_axis_angle(v: vec3<f32>) -> mat3x3<f32> {
    let f = rotation_coefficients(dot(v, v));
    let c = cross_matrix(v);
    return identity() + c * f.x + c * c * f.y;
}

fn left_jacobian(v: vec3<f32>) -> mat3x3<f32> {
    let f = rotation_coefficients(dot(v, v));
    let c = cross_matrix(v);
    return identity() + c * f.y + c * c * f.z;
}

// a b'
fn outer(a: vec3<f32>, b: vec3<f32>) -> mat3x3<f32> {
    return mat3x3<f32>(a * b.x, a * b.y, a * b.z);
}
