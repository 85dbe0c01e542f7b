// Statistics of an image from those of its chunks, always in the same order (Chan, Golub, LeVeque 1979). One invocation four
// channels.
//#use common/index, common/normalisation
@group(0) @binding(0) var<uniform> params: NormaliseParams;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> statistics: array<vec4<f32>>;

const EPSILON: f32 = 1e-5;

@compute @workgroup_size(64)
fn sum_statistics(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= params.channels {
        return;
    }
    var mean = vec4<f32>(0.0);
    var squares = vec4<f32>(0.0);
    var weight = 0.0;
    for (var chunk = 0u; chunk * params.chunk < params.pixels; chunk++) {
        let at = 3u * chunk * params.channels + i;
        let more = partials[at + 2u * params.channels].x;
        if more <= 0.0 {
            continue;
        }
        let apart = partials[at] - mean;
        let part = more / (weight + more);
        squares += partials[at + params.channels] + weight * part * apart * apart;
        mean += part * apart;
        weight += more;
    }
    statistics[i] = mean;
    statistics[params.channels + i] = 1.0 / sqrt(squares / max(weight, 1e-12) + vec4<f32>(EPSILON));
    statistics[2u * params.channels + i] = vec4<f32>(weight);
}
