// What the encodings' gradients share. Names the kernel's `samples`, `features` and `samples_grad`.
// The gradient of a sample has the sample's layout, floats throughout: 0 camera-space normal; 1 albedo; 2 rest-pose position;
// 3 ray; 4 shaded colour; 5 the three barycentrics, each for itself; 6 mirrored ray, cosine.
//#use common/encode

// Gradient to the barycentrics from that to numbers 4k to 4k + 3 of the features.
fn lambda_grad(at: u32, k: u32, g: vec4<f32>) -> vec3<f32> {
    return vec3<f32>(
        dot(g, features[samples[at + 1u].w * (FEATURES / 4u) + k]),
        dot(g, features[samples[at + 2u].w * (FEATURES / 4u) + k]),
        dot(g, features[samples[at + 3u].w * (FEATURES / 4u) + k]),
    );
}

fn add_grad(at: u32, value: vec3<f32>) {
    samples_grad[at] += vec4<f32>(value, 0.0);
}
