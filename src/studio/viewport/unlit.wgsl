// The surfaces of the 3D view: a tint times a picture times colours of vertices, and no light.

#import bevy_pbr::forward_io::VertexOutput

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<uniform> tint: vec4<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var picture: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(2) var picture_sampler: sampler;

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    var colour = tint.rgb;
#ifdef VERTEX_UVS_A
    colour *= textureSample(picture, picture_sampler, in.uv).rgb;
#endif
#ifdef VERTEX_COLORS
    colour *= in.color.rgb;
#endif
    return vec4<f32>(colour, 1.0);
}
