// Mean, sum of squared distances from it and weight of each channel over `chunk` pixels: three rows of channels a chunk. One
// invocation four channels of a chunk.
//#use common/index, common/normalisation
@group(0) @binding(0) var<uniform> params: NormaliseParams;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> coverage: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn statistics(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let chunk = i / params.channels;
    let channel = i % params.channels;
    if chunk * params.chunk >= params.pixels {
        return;
    }
    let begin = chunk * params.chunk;
    let end = min(begin + params.chunk, params.pixels);
    var weight = 0.0;
    var sum = vec4<f32>(0.0);
    for (var pixel = begin; pixel < end; pixel++) {
        let w = coverage[pixel * params.coverage_stride].w;
        weight += w;
        sum += w * x[pixel * params.channels + channel];
    }
    let mean = sum / max(weight, 1e-12);
    var squares = vec4<f32>(0.0);
    for (var pixel = begin; pixel < end; pixel++) {
        let apart = x[pixel * params.channels + channel] - mean;
        squares += coverage[pixel * params.coverage_stride].w * apart * apart;
    }
    let at = 3u * chunk * params.channels + channel;
    partials[at] = mean;
    partials[at + params.channels] = squares;
    partials[at + 2u * params.channels] = vec4<f32>(weight);
}
