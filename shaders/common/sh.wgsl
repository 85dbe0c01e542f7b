// Second-order spherical harmonics without constants, in the published order:
// 1, ny, nz, nx, nx ny, ny nz, 2nz^2 - nx^2 - ny^2, nz nx, nx^2 - ny^2. A light is 12 numbers: 9 coefficients, 3 gains.
const LIGHT_STRIDE: u32 = 12u;

fn sh_dot(c: array<f32, 9>, n: vec3<f32>) -> f32 {
    return c[0] + c[1] * n.y + c[2] * n.z + c[3] * n.x + c[4] * n.x * n.y + c[5] * n.y * n.z
        + c[6] * (2.0 * n.z * n.z - n.x * n.x - n.y * n.y) + c[7] * n.z * n.x + c[8] * (n.x * n.x - n.y * n.y);
}

// Gradient of sh_dot with respect to n.
fn sh_dot_grad(c: array<f32, 9>, n: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        c[3] + c[4] * n.y - 2.0 * c[6] * n.x + c[7] * n.z + 2.0 * c[8] * n.x,
        c[1] + c[4] * n.x + c[5] * n.z - 2.0 * c[6] * n.y - 2.0 * c[8] * n.y,
        c[2] + c[5] * n.y + 4.0 * c[6] * n.z + c[7] * n.x,
    );
}
