// A 3×3 convolution as a product of matrices that are never written down: one invocation takes 4 pixels of a line and 8
// outputs, in registers; of each line of taps it reads 6 pixels and uses them for all 12 products.
//#use common/index, common/convolution, common/weight_block
@group(0) @binding(0) var<uniform> params: ConvolutionParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn store(pixel: u32, output: u32, sum: vec4<f32>) {
    let factor = border_factor(params, pixel % params.width, pixel / params.width);
    let bias = weights[params.weights + 9u * params.inputs * (params.outputs / 4u) + output];
    let at = pixel * params.y_stride + params.y_first + output;
    var value = factor * sum + select(vec4<f32>(0.0), bias, params.biased == 1u);
    value += select(vec4<f32>(0.0), y[at], params.adds == 1u);
    y[at] = select(value, max(value, vec4<f32>(0.0)), params.cut == 1u);
}

@compute @workgroup_size(64)
fn convolve(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let blocks = params.width * params.height / 4u;
    if i >= blocks * (params.outputs / 8u) {
        return;
    }
    let pixel = (i % blocks) * 4u;
    let output = (i / blocks) * 2u;
    let column = pixel % params.width;
    let line = pixel / params.width;
    let k_count = params.inputs / 4u;
    let n_count = params.outputs / 4u;
    let tap = params.inputs * n_count;
    let has_left = column > 0u;
    let has_right = column + 4u < params.width;
    var a0 = vec4<f32>(0.0);
    var a1 = a0; var a2 = a0; var a3 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0;
    for (var dy = 0u; dy < 3u; dy++) {
        if line + dy == 0u || line + dy > params.height {
            continue;
        }
        var at = ((line + dy - 1u) * params.width + column) * k_count;
        var w = params.weights + 3u * dy * tap + output;
        for (var k = 0u; k < k_count; k++) {
            let x1 = x[at];
            let x2 = x[at + k_count];
            let x3 = x[at + 2u * k_count];
            let x4 = x[at + 3u * k_count];
            let x0 = select(vec4<f32>(0.0), x[select(at, at - k_count, has_left)], has_left);
            let x5 = select(vec4<f32>(0.0), x[select(at, at + 4u * k_count, has_right)], has_right);
            let u0 = block(w);
            let u1 = block(w + tap);
            let u2 = block(w + 2u * tap);
            a0 += u0 * x0 + u1 * x1 + u2 * x2;
            a1 += u0 * x1 + u1 * x2 + u2 * x3;
            a2 += u0 * x2 + u1 * x3 + u2 * x4;
            a3 += u0 * x3 + u1 * x4 + u2 * x5;
            let v0 = block(w + 1u);
            let v1 = block(w + 1u + tap);
            let v2 = block(w + 1u + 2u * tap);
            b0 += v0 * x0 + v1 * x1 + v2 * x2;
            b1 += v0 * x1 + v1 * x2 + v2 * x3;
            b2 += v0 * x2 + v1 * x3 + v2 * x4;
            b3 += v0 * x3 + v1 * x4 + v2 * x5;
            at += 1u;
            w += 4u * n_count;
        }
    }
    store(pixel, output, a0); store(pixel, output + 1u, b0);
    store(pixel + 1u, output, a1); store(pixel + 1u, output + 1u, b1);
    store(pixel + 2u, output, a2); store(pixel + 2u, output + 1u, b2);
    store(pixel + 3u, output, a3); store(pixel + 3u, output + 1u, b3);
}
