// What the kernels of the second network are told.
struct GuideParams {
    rows: u32,
    kind: u32,               // what the first network's outputs mean
    weight: f32,             // backward: of the second network's part
    pad0: u32,
}
