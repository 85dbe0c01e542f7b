// Pixels of a region that a kernel has to look at, in the order of the region: (pixel, its word).
struct PixelList {
    count: u32,
    pad: u32,
    entries: array<vec2<u32>>,
}
