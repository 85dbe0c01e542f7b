// The four products of each number of `x` with `d`: a block of a weight's gradient.
fn outer(x: vec4<f32>, d: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x.x * d, x.y * d, x.z * d, x.w * d);
}
