// Partial sums of the gradient to a convolution's weights and biases, over `chunk` pixels each: partials[chunk of pixels] is
// laid out like the layer; neural/sum_weights adds them in order. One invocation takes 8 inputs of a tap and 8 outputs; the
// last eight "inputs" are the bias. No sum depends on scheduling.
//#use common/index, common/convolution, common/outer
@group(0) @binding(0) var<uniform> params: ConvolutionParams;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn convolution_weight_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let eights = params.inputs / 8u;
    let wide = 9u * eights + 1u;
    let tiles = wide * (params.outputs / 8u);
    let chunk = i / tiles;
    let pixels = params.width * params.height;
    if chunk * params.chunk >= pixels {
        return;
    }
    let tile = i % tiles;
    let tap = (tile % wide) / eights;
    let input = ((tile % wide) % eights) * 2u;
    let output = (tile / wide) * 2u;
    let k_count = params.inputs / 4u;
    let n_count = params.outputs / 4u;
    let is_bias = tap == 9u;
    var p00 = outer(vec4<f32>(0.0), vec4<f32>(0.0));
    var p01 = p00;
    var p10 = p00;
    var p11 = p00;
    for (var pixel = chunk * params.chunk; pixel < min((chunk + 1u) * params.chunk, pixels); pixel++) {
        let column = pixel % params.width;
        let line = pixel / params.width;
        let d = pixel * params.y_stride + params.y_first + output;
        if is_bias {
            if params.biased == 0u {
                break;
            }
            p00[0] += y_grad[d];
            p01[0] += y_grad[d + 1u];
            continue;
        }
        // One more than where the tap reads.
        let sx = column + tap % 3u;
        let sy = line + tap / 3u;
        if sx == 0u || sy == 0u || sx > params.width || sy > params.height {
            continue;
        }
        let factor = border_factor(params, column, line);
        let at = ((sy - 1u) * params.width + sx - 1u) * k_count + input;
        let d0 = factor * y_grad[d];
        let d1 = factor * y_grad[d + 1u];
        p00 += outer(x[at], d0);
        p01 += outer(x[at], d1);
        p10 += outer(x[at + 1u], d0);
        p11 += outer(x[at + 1u], d1);
    }
    let at = (chunk * (9u * params.inputs + 1u) + tap * params.inputs + 4u * input) * n_count + output;
    if is_bias {
        partials[at] = p00[0];
        partials[at + 1u] = p01[0];
        return;
    }
    store(at, n_count, p00);
    store(at + 1u, n_count, p01);
    store(at + 4u * n_count, n_count, p10);
    store(at + 4u * n_count + 1u, n_count, p11);
}
