// Which pixels of a region the network is told about, and what the kernels that do so are told.
// Names the kernel's `params` and `pixels`.
//#use common/hash, common/pixel_list
struct GatherParams {
    rotation_0: vec4<f32>,   // rows of the camera's rotation; in w the camera's centre, world metres
    rotation_1: vec4<f32>,
    rotation_2: vec4<f32>,
    rest: vec4<f32>,         // middle of the rest-pose positions, one over their largest distance from it along an axis
    light_0: vec4<f32>,      // the rig's light: nine coefficients, then the view's gain
    light_1: vec4<f32>,
    light_2: vec4<f32>,
    samples: u32,
    first: u32,              // record of the first of them
    start: u32,
    sampled: u32,            // 0: in order, 1: sampled, 2: in order with the photograph
    seed: u32,
    least: u32,              // with the photograph: coverage of the mask, of 254, below which a pixel says nothing
    weight: f32,             // backward: of each sample
    pad0: u32,
}

// First entry of part i of the list, without a product that leaves 32 bits.
fn part(i: u32) -> u32 {
    return i * (pixels.count / params.samples) + i * (pixels.count % params.samples) / params.samples;
}

fn chosen(i: u32) -> u32 {
    if params.sampled != 1u {
        return params.start + i;
    }
    let begin = part(i);
    let width = max(part(i + 1u) - begin, 1u);
    return min(begin + hash(hash(params.seed) ^ i) % width, pixels.count - 1u);
}

fn rig_light() -> array<f32, 9> {
    let a = params.light_0;
    let b = params.light_1;
    return array<f32, 9>(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, params.light_2.x);
}
