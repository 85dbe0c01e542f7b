// Gradient to a convolution's inputs from that to its outputs. One invocation takes 4 pixels of a line and 8 inputs, and
// gathers from the outputs that saw them.
//#use common/index, common/convolution, common/weight_block
@group(0) @binding(0) var<uniform> params: ConvolutionParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> y_grad: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x_grad: array<vec4<f32>>;

fn store(pixel: u32, input: u32, value: vec4<f32>) {
    let at = pixel * (params.inputs / 4u) + input;
    x_grad[at] = select(vec4<f32>(0.0), value, vec4<bool>(input < params.gate) | (x[at] > vec4<f32>(0.0)));
}

@compute @workgroup_size(64)
fn convolve_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    let blocks = params.width * params.height / 4u;
    if i >= blocks * (params.inputs / 8u) {
        return;
    }
    let pixel = (i % blocks) * 4u;
    let input = (i / blocks) * 2u;
    let column = pixel % params.width;
    let line = pixel / params.width;
    let n_count = params.outputs / 4u;
    let tap = params.inputs * n_count;
    let has_left = column > 0u;
    let has_right = column + 4u < params.width;
    let stride = params.y_stride;
    var a0 = vec4<f32>(0.0);
    var a1 = a0; var a2 = a0; var a3 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0;
    for (var dy = 0u; dy < 3u; dy++) {
        // The output that saw this line through taps `dy`.
        if line + 1u < dy || line + 1u - dy >= params.height {
            continue;
        }
        let seen = line + 1u - dy;
        let f0 = select(0.0, border_factor(params, column - 1u, seen), has_left);
        let f1 = border_factor(params, column, seen);
        let f2 = border_factor(params, column + 1u, seen);
        let f3 = border_factor(params, column + 2u, seen);
        let f4 = border_factor(params, column + 3u, seen);
        let f5 = select(0.0, border_factor(params, column + 4u, seen), has_right);
        var at = (seen * params.width + column) * stride + params.y_first;
        var w = params.weights + 3u * dy * tap + 4u * input * n_count;
        for (var n = 0u; n < n_count; n++) {
            let d0 = f0 * y_grad[select(at, at - stride, has_left)];
            let d1 = f1 * y_grad[at];
            let d2 = f2 * y_grad[at + stride];
            let d3 = f3 * y_grad[at + 2u * stride];
            let d4 = f4 * y_grad[at + 3u * stride];
            let d5 = f5 * y_grad[select(at, at + 4u * stride, has_right)];
            let u0 = block(w);
            let u1 = block(w + tap);
            let u2 = block(w + 2u * tap);
            a0 += d2 * u0 + d1 * u1 + d0 * u2;
            a1 += d3 * u0 + d2 * u1 + d1 * u2;
            a2 += d4 * u0 + d3 * u1 + d2 * u2;
            a3 += d5 * u0 + d4 * u1 + d3 * u2;
            let v = w + 4u * n_count;
            let v0 = block(v);
            let v1 = block(v + tap);
            let v2 = block(v + 2u * tap);
            b0 += d2 * v0 + d1 * v1 + d0 * v2;
            b1 += d3 * v0 + d2 * v1 + d1 * v2;
            b2 += d4 * v0 + d3 * v1 + d2 * v2;
            b3 += d5 * v0 + d4 * v1 + d3 * v2;
            at += 1u;
            w += 1u;
        }
    }
    store(pixel, input, a0); store(pixel, input + 1u, b0);
    store(pixel + 1u, input, a1); store(pixel + 1u, input + 1u, b1);
    store(pixel + 2u, input, a2); store(pixel + 2u, input + 1u, b2);
    store(pixel + 3u, input, a3); store(pixel + 3u, input + 1u, b3);
}
