// What the encodings share: samples, the vertices' features, rows of inputs. Names the kernel's `samples` and `features`.
//#use common/hash, common/neural_sample
struct EncodeParams {
    rows: u32,
    seed: u32,
    dropped: u32,            // of 65,536 rows: how many do not tell where they are seen from
    octaves: u32,
    basis: array<vec4<f32>, 21>,
}

const FEATURES: u32 = 20u;

// Numbers 4k to 4k + 3 of the features at a sample.
fn features_at(at: u32, k: u32) -> vec4<f32> {
    let lambda = vec2<f32>(bitcast<f32>(samples[at + 4u].w), bitcast<f32>(samples[at + 5u].w));
    let a = features[samples[at + 1u].w * (FEATURES / 4u) + k];
    let b = features[samples[at + 2u].w * (FEATURES / 4u) + k];
    let c = features[samples[at + 3u].w * (FEATURES / 4u) + k];
    return lambda.x * a + lambda.y * b + (1.0 - lambda.x - lambda.y) * c;
}

// 1, or 0 where the row is not told where it is seen from.
fn told(seed: u32, dropped: u32, row: u32) -> f32 {
    return select(1.0, 0.0, (hash(hash(seed) ^ row) & 0xffffu) < dropped);
}
