// One 3×3 convolution over an image whose rows of pixels lie one after another, channels last and in fours; zeros lie around
// the image. W is stored tap by tap (from the upper left, row by row), in each input by input as in common/layer, the bias
// behind them. Channels are multiples of eight, the width is one of four.
struct ConvolutionParams {
    width: u32,
    height: u32,
    inputs: u32,
    outputs: u32,
    weights: u32,            // where the layer begins, in vec4
    cut: u32,                // 1: negative results become zero
    bordered: u32,           // 1: at the border sums grow as if the taps outside were like those inside
    y_stride: u32,           // vec4 a pixel of y: it may be part of a wider image
    y_first: u32,            // and begins here, in vec4
    gate: u32,               // backward: from this vec4 on nothing goes through inputs that are not positive
    chunk: u32,              // pixels summed by one invocation into a partial sum of a weight's gradient
    adds: u32,               // forward, 1: to what is there
    biased: u32,             // 0: without bias, as before a normalisation
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

// What a pixel's sum is multiplied by: nine over the taps inside the image (Liu et al. 2018, all of the image known).
fn border_factor(params: ConvolutionParams, column: u32, line: u32) -> f32 {
    let wide = 3u - u32(column == 0u) - u32(column + 1u == params.width);
    let tall = 3u - u32(line == 0u) - u32(line + 1u == params.height);
    return select(1.0, 9.0 / f32(wide * tall), params.bordered == 1u);
}
