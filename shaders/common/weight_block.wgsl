// The weights of four inputs (columns) for four outputs, from `at` on. Names the kernel's `weights` and `params`.
fn block(at: u32) -> mat4x4<f32> {
    let n = params.outputs / 4u;
    return mat4x4<f32>(weights[at], weights[at + n], weights[at + 2u * n], weights[at + 3u * n]);
}
