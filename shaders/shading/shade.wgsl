// Colour of every pixel of a region: gain * (c . SH(n)) * albedo, alpha 1; background 0. One invocation a pixel.
//#use common/index, common/ids, common/camera, common/sh
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> faces: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> lights: array<f32>;
@group(0) @binding(7) var<storage, read_write> colours: array<vec4<f32>>;

@compute @workgroup_size(64)
fn shade(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let pixel = flat_index(id, groups, 64u);
    if pixel >= view.width * view.height {
        return;
    }
    let triangle = triangle_of(ids[pixel]);
    if triangle == 0u {
        colours[pixel] = vec4<f32>(0.0);
        return;
    }
    let f = faces[triangle - 1u];
    let b = barycentric(
        pixel_centre(view, pixel),
        to_pixel(view, positions[f.x].xyz),
        to_pixel(view, positions[f.y].xyz),
        to_pixel(view, positions[f.z].xyz),
    );
    let m = b.lambda.x * normals[f.x].xyz + b.lambda.y * normals[f.y].xyz + b.lambda.z * normals[f.z].xyz;
    let n = m / max(length(m), 1e-12);
    let rho = b.lambda.x * albedo[f.x].xyz + b.lambda.y * albedo[f.y].xyz + b.lambda.z * albedo[f.z].xyz;
    let base = view.light * LIGHT_STRIDE;
    var c: array<f32, 9>;
    for (var k = 0u; k < 9u; k++) {
        c[k] = lights[base + k];
    }
    let gain = vec3<f32>(lights[base + 9u], lights[base + 10u], lights[base + 11u]);
    colours[pixel] = vec4<f32>(gain * sh_dot(c, n) * rho, 1.0);
}
