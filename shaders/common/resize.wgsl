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

// Doubling: of the pixels of the half that pixel `x` of the full image is mixed of, the one that gives a quarter; x / 2 gives
// three. Held at the border.
fn beside(x: u32, size: u32) -> u32 {
    let near = x / 2u;
    return select(max(near, 1u) - 1u, min(near + 1u, size - 1u), x % 2u == 1u);
}
