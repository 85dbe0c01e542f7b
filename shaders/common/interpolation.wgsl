// What interpolation and its gradient know about a covered pixel. Names the kernel's `view`, `positions` and `faces`.
//#use common/camera, common/ids

struct InterpolateParams {
    numbers: u32,        // attributes a vertex has
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

struct Seen {
    corners: vec3<u32>,
    centre: vec2<f32>,
    bary: Bary,
    depths: vec3<f32>,   // of the corners
}

// At a covered pixel: (pixel, its word).
fn seen_at(entry: vec2<u32>) -> Seen {
    var s: Seen;
    s.corners = faces[triangle_of(entry.y) - 1u].xyz;
    s.centre = pixel_centre(view, entry.x);
    let h0 = to_pixel(view, positions[s.corners.x].xyz);
    let h1 = to_pixel(view, positions[s.corners.y].xyz);
    let h2 = to_pixel(view, positions[s.corners.z].xyz);
    s.bary = barycentric(s.centre, h0, h1, h2);
    s.depths = vec3<f32>(h0.z, h1.z, h2.z);
    return s;
}
