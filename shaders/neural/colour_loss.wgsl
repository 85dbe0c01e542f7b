// Smooth L1 (Girshick 2015) between the network's colours times the view's gain and the photograph: sums and the gradient to
// the network's outputs (8 numbers a row, of which three are used). A channel that the camera has clipped says nothing
// against a brighter render. One invocation a row. Of each workgroup 8 sums: the loss and, a channel, colour times
// photograph; channels that count and, a channel, the colour squared. The best gain is made of these.
//#use common/index, common/neural_sample, common/neural_colour
struct ColourLossParams {
    rows: u32,
    kind: u32,
    softness: f32,           // residuals below this are squared
    clipped: f32,
}
@group(0) @binding(0) var<uniform> params: ColourLossParams;
@group(0) @binding(1) var<storage, read> samples: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> outputs: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> outputs_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;

var<workgroup> first_sums: array<vec4<f32>, 64>;
var<workgroup> second_sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn colour_loss(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_index(id, groups, 64u);
    var first = vec4<f32>(0.0);
    var second = vec4<f32>(0.0);
    if row < params.rows {
        let at = row * SAMPLE_STRIDE;
        let photo = unpack4x8unorm(samples[at].w).xyz;
        let gain = bitcast<vec3<f32>>(samples[at + 5u].xyz);
        let p = painted(params.kind, outputs[2u * row].xyz, bitcast<vec3<f32>>(samples[at + 4u].xyz));
        let apart = gain * p.colour - photo;
        let burnt = photo >= vec3<f32>(params.clipped);
        // A row without a sample has no gain.
        let there = gain.x > 0.0;
        let counts = select(vec3<f32>(0.0), vec3<f32>(1.0), vec3<bool>(there) & !(burnt & (apart > vec3<f32>(0.0))));
        let r = counts * apart;
        let size = abs(r);
        let near = size < vec3<f32>(params.softness);
        let value = select(size - 0.5 * params.softness, 0.5 * r * r / params.softness, near);
        let slope = clamp(r / params.softness, vec3<f32>(-1.0), vec3<f32>(1.0));
        outputs_grad[2u * row] = vec4<f32>(slope * gain * p.slope, 0.0);
        outputs_grad[2u * row + 1u] = vec4<f32>(0.0);
        let even = select(vec3<f32>(0.0), vec3<f32>(1.0), vec3<bool>(there) & !burnt);
        let against = even * p.colour * photo;
        let squared = even * p.colour * p.colour;
        first = vec4<f32>(dot(value, vec3<f32>(1.0)), against);
        second = vec4<f32>(dot(counts, vec3<f32>(1.0)), squared);
    }
    first_sums[local] = first;
    second_sums[local] = second;
    workgroupBarrier();
    if local == 0u {
        var a = vec4<f32>(0.0);
        var b = vec4<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            a += first_sums[i];
            b += second_sums[i];
        }
        let at = (group.x + group.y * groups.x) * 2u;
        partials[at] = a;
        partials[at + 1u] = b;
    }
}
