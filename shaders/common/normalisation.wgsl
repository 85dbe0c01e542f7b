// Normalisation of an image's channels by their mean and variance over the pixels that see something, each pixel by the part
// of it that does: channels last, in fours. Statistics are means, one over the root of variances, and the sum of weights, a
// row of channels each.
struct NormaliseParams {
    pixels: u32,
    channels: u32,           // in vec4
    chunk: u32,              // pixels summed by one invocation
    y_stride: u32,           // vec4 a pixel of y: it may be part of a wider image
    y_first: u32,
    coverage_stride: u32,    // vec4 a pixel of the image whose fourth number says how much of a pixel sees something
    weights: u32,            // where factors begin, in vec4; shifts behind them
    pad0: u32,
}
