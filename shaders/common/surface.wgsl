// What shading knows about a pixel of a triangle: barycentrics, interpolated normal and albedo.
// Names the kernel's `view`, `positions`, `normals`, `albedo` and `faces`.
//#use common/camera, common/ids

struct Surface {
    corners: vec3<u32>,
    centre: vec2<f32>,
    bary: Bary,
    n0: vec3<f32>,       // the corners' normals
    n1: vec3<f32>,
    n2: vec3<f32>,
    m_length: f32,       // length of the interpolated normal
    normal: vec3<f32>,
}

fn mix3(lambda: vec3<f32>, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> vec3<f32> {
    return lambda.x * a + lambda.y * b + lambda.z * c;
}

// At the centre of a covered pixel: (pixel, its word).
fn surface_at(entry: vec2<u32>) -> Surface {
    var s: Surface;
    s.corners = faces[triangle_of(entry.y) - 1u].xyz;
    s.centre = pixel_centre(view, entry.x);
    s.bary = barycentric(
        s.centre,
        to_pixel(view, positions[s.corners.x].xyz),
        to_pixel(view, positions[s.corners.y].xyz),
        to_pixel(view, positions[s.corners.z].xyz),
    );
    s.n0 = normals[s.corners.x].xyz;
    s.n1 = normals[s.corners.y].xyz;
    s.n2 = normals[s.corners.z].xyz;
    let m = mix3(s.bary.lambda, s.n0, s.n1, s.n2);
    s.m_length = max(length(m), 1e-12);
    s.normal = m / s.m_length;
    return s;
}

fn albedo_at(s: Surface) -> vec3<f32> {
    return mix3(s.bary.lambda, albedo[s.corners.x].xyz, albedo[s.corners.y].xyz, albedo[s.corners.z].xyz);
}
