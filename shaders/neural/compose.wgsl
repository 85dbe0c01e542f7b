// Colours of `samples` pixels of a list from `start`, painted by the network, times the gain; alpha 1. Pixels whose word is 0
// stay as they are. One invocation a sample.
//#use common/index, common/pixel_list, common/neural_sample, common/neural_colour
struct ComposeParams {
    samples: u32,
    start: u32,
    kind: u32,
    pad0: u32,
}
@group(0) @binding(0) var<uniform> params: ComposeParams;
@group(0) @binding(1) var<storage, read> pixels: PixelList;
@group(0) @binding(2) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> outputs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> colours: array<vec4<f32>>;

@compute @workgroup_size(64)
fn compose(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.samples || params.start + i >= pixels.count {
        return;
    }
    if pixels.entries[params.start + i].y == 0u {
        return;
    }
    let at = i * SAMPLE_STRIDE;
    let gain = bitcast<vec3<f32>>(samples[at + 5u].xyz);
    let p = painted(params.kind, outputs[2u * i].xyz, bitcast<vec3<f32>>(samples[at + 4u].xyz));
    colours[pixels.entries[params.start + i].x] = vec4<f32>(max(gain * p.colour, vec3<f32>(0.0)), 1.0);
}
