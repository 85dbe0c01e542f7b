// Photometric L1 and silhouette squared error of the antialiased image, value and gradient. One invocation a pixel.
// A target pixel is RGB in three bytes and coverage in the fourth: 0..254 = 0..1, 255 = unknown.
// Known pixels: silhouette (a - m)^2; photometric |c - rgb| where the mask says hand (m > 1/2).
// Unknown pixels: photometric only where the render covers them fully.
// |r| is sqrt(r^2 + softness^2) - softness; a channel that the camera has clipped says nothing against a brighter render.
//#use common/index, common/camera
struct ImageLossParams {
    photometric: f32,
    silhouette: f32,
    partial_offset: u32,
    softness: f32,
    clipped: f32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> params: ImageLossParams;
@group(0) @binding(2) var<storage, read> smooth_colours: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read_write> smooth_grad: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;

var<workgroup> shared_sums: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn image_loss(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixel = flat_index(id, groups, 64u);
    var value = vec2<f32>(0.0);
    if pixel < view.width * view.height {
        let c = smooth_colours[pixel];
        let packed = unpack4x8unorm(targets[pixel]);
        let known = packed.w < 1.0;
        let m = packed.w * (255.0 / 254.0);
        var g = vec4<f32>(0.0);
        if select(c.w > 0.999, m > 0.5, known) {
            let apart = c.xyz - packed.xyz;
            let residual = select(apart, vec3<f32>(0.0), (packed.xyz >= vec3<f32>(params.clipped)) & (apart > vec3<f32>(0.0)));
            let size = sqrt(residual * residual + params.softness * params.softness);
            value.x = params.photometric * dot(size - params.softness, vec3<f32>(1.0));
            g = vec4<f32>(params.photometric * residual / size, 0.0);
        }
        if known {
            let miss = c.w - m;
            value.y = params.silhouette * miss * miss;
            g.w = 2.0 * params.silhouette * miss;
        }
        smooth_grad[pixel] = g;
    }
    shared_sums[local] = value;
    workgroupBarrier();
    if local == 0u {
        var sum = vec2<f32>(0.0);
        for (var i = 0u; i < 64u; i++) {
            sum += shared_sums[i];
        }
        let at = params.partial_offset + (group.x + group.y * groups.x) * 2u;
        partials[at] = sum.x;
        partials[at + 1u] = sum.y;
    }
}
