// An image and its half: channels last, in fours. The full image may be part of a wider one.
struct ResizeParams {
    width: u32,              // of the half
    height: u32,
    channels: u32,           // in vec4
    full_stride: u32,        // vec4 a pixel of the full image
    full_first: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
