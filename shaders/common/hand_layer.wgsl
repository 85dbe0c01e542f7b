// What the kernels of the hand layer share. Problems go in fours ("quads"), so that four of them fill a vec4: an array of
// vec4 "over problems" holds component p for problem 4 quad + p. The last quad may hold problems nobody asked for.
struct LayerParams {
    vertices: u32,
    plane: u32,      // vertices rounded up to whole tiles of 64: stride of one coordinate
    quads: u32,
    components: u32, // coefficients of the pose basis; 0: the pose is axis-angle
}

// One problem's parameters: orientation 3, translation 3, pose 45, shape 10, scale 1, padding 2.
const STRIDE: u32 = 64u;
const TRANSL: u32 = 3u;
const POSE: u32 = 6u;
const SHAPE: u32 = 51u;
const SCALE: u32 = 61u;
// Columns of the directions come in 16 groups of 10: the shape, then for joints 1-15 the nine entries of R - I and one
// that is always zero. The template stands behind them.
const GROUP: u32 = 10u;
const COLUMNS: u32 = 160u;
// Rows of a joint transform [G | o], 12 numbers.
const TRANSFORM: u32 = 12u;
