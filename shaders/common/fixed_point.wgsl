// Pixel -> vertex sums are i32 fixed point, so that their order cannot change a bit of the result.
// One unit = 2^16; a contribution is clamped to +-1024 units, a sum must stay below 2^14 units (the optimiser checks).
const FIXED_SCALE: f32 = 65536.0;
const FIXED_CLAMP: f32 = 67108864.0;

fn to_fixed(x: f32) -> i32 {
    return i32(round(clamp(x * FIXED_SCALE, -FIXED_CLAMP, FIXED_CLAMP)));
}

fn from_fixed(x: i32) -> f32 {
    return f32(x) / FIXED_SCALE;
}
