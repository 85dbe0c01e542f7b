// Blocks of a weight's gradient. Names the kernel's `partials`.

// The four products of each number of `x` with `d`: inputs with outputs.
fn outer(x: vec4<f32>, d: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x.x * d, x.y * d, x.z * d, x.w * d);
}

// A block where the layer has it: a row of outputs an input.
fn store(at: u32, stride: u32, sums: mat4x4<f32>) {
    partials[at] = sums[0];
    partials[at + stride] = sums[1];
    partials[at + 2u * stride] = sums[2];
    partials[at + 3u * stride] = sums[3];
}
