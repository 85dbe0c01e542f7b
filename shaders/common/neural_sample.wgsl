// What the neural renderer knows about a pixel: seven vec4<u32>, floats as their bits.
// 0 camera-space normal, target pixel; 1 albedo, corner 0; 2 rest-pose position, corner 1; 3 ray in the world, corner 2;
// 4 shaded colour without gain, lambda 0; 5 the view's gain, lambda 1; 6 mirrored ray in the world, cosine between normal
// and the way to the camera.
const SAMPLE_STRIDE: u32 = 7u;

fn bits(v: vec3<f32>, word: u32) -> vec4<u32> {
    return vec4<u32>(bitcast<vec3<u32>>(v), word);
}

fn bits4(v: vec3<f32>, w: f32) -> vec4<u32> {
    return bitcast<vec4<u32>>(vec4<f32>(v, w));
}
