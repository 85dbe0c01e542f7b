// One region of one view. Spaces: world metres -> homogeneous pixels `pixel_from_world * [x 1]` (x/w, y/w in region
// pixels, w = depth in metres) -> clip (y up, depth 0..1).
struct View {
    clip_from_world: mat4x4<f32>,
    pixel_row_0: vec4<f32>,
    pixel_row_1: vec4<f32>,
    pixel_row_2: vec4<f32>,
    width: u32,          // a multiple of 64
    height: u32,
    light: u32,          // row of this view in `lights`
    geometry: u32,       // 1: gradients to positions and normals are wanted
}

// Homogeneous pixel of a world point.
fn to_pixel(v: View, x: vec3<f32>) -> vec3<f32> {
    let p = vec4<f32>(x, 1.0);
    return vec3<f32>(dot(v.pixel_row_0, p), dot(v.pixel_row_1, p), dot(v.pixel_row_2, p));
}

// Gradient of a world point from the gradient of its homogeneous pixel.
fn to_pixel_grad(v: View, d: vec3<f32>) -> vec3<f32> {
    return d.x * v.pixel_row_0.xyz + d.y * v.pixel_row_1.xyz + d.z * v.pixel_row_2.xyz;
}

// Centre of pixel `i` of the region.
fn pixel_centre(v: View, i: u32) -> vec2<f32> {
    return vec2<f32>(f32(i % v.width) + 0.5, f32(i / v.width) + 0.5);
}

// Perspective-correct barycentrics of the triangle with homogeneous pixels h at the centre `p`
// (Olano & Greer 1997): b_i = cross(u_j, u_k) with u = h.xy - p h.z, the shift to the pixel keeps f32 exact enough.
struct Bary {
    u0: vec2<f32>,
    u1: vec2<f32>,
    u2: vec2<f32>,
    lambda: vec3<f32>,
    sum: f32,
}

fn cross2(a: vec2<f32>, b: vec2<f32>) -> f32 {
    return a.x * b.y - a.y * b.x;
}

fn barycentric(p: vec2<f32>, h0: vec3<f32>, h1: vec3<f32>, h2: vec3<f32>) -> Bary {
    var b: Bary;
    b.u0 = h0.xy - p * h0.z;
    b.u1 = h1.xy - p * h1.z;
    b.u2 = h2.xy - p * h2.z;
    let raw = vec3<f32>(cross2(b.u1, b.u2), cross2(b.u2, b.u0), cross2(b.u0, b.u1));
    b.sum = raw.x + raw.y + raw.z;
    // A sliver seen edge-on has no area; any finite weights do, its gradient is dropped with sum = 0.
    b.lambda = select(vec3<f32>(1.0, 0.0, 0.0), raw / b.sum, abs(b.sum) > 1e-12);
    return b;
}
