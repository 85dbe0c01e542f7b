// The light of a region's view.
// Names the kernel's `view` and `lights`.
//#use common/camera, common/sh

// Light of the view: irradiance by `sh_dot(light.c, n)`, then one gain a channel.
struct Light {
    c: array<f32, 9>,
    gain: vec3<f32>,
}

fn light_of_view() -> Light {
    let base = view.light * LIGHT_STRIDE / 4u;
    let a = lights[base];
    let b = lights[base + 1u];
    let d = lights[base + 2u];
    return Light(array<f32, 9>(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, d.x), d.yzw);
}
