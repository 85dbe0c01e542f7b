// The hand layer's first step, one workgroup per quad: kinematics of the 16 joints, the coefficients of the shape and pose
// directions, posed joints. Twin: hand/layer.
//#use common/joint_frames
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;        // 64 per problem
@group(0) @binding(2) var<storage, read> joint_model: array<f32>;
@group(0) @binding(3) var<storage, read_write> coefficients: array<f32>; // per quad 160, over problems
@group(0) @binding(4) var<storage, read_write> transforms: array<f32>;  // per quad 16 x 12, over problems
@group(0) @binding(5) var<storage, read_write> joints: array<vec4<f32>>; // 16 per problem

@compute @workgroup_size(64)
fn pose_joints(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let quad = group.x + group.y * groups.x;
    if quad >= layer.quads {
        return;
    }
    let of_quad = lane / 16u;
    let joint = lane % 16u;
    let problem = 4u * quad + of_quad;
    joint_frames(lane, problem, joint);

    let own = local_rotation[lane];
    for (var i = 0u; i < GROUP; i++) {
        var value = 0.0;
        if joint == 0u {
            value = parameters[problem * STRIDE + SHAPE + i];
        } else if i < 9u {
            // Row-major entries of R - I.
            value = own[i % 3u][i / 3u] - select(0.0, 1.0, i % 4u == 0u);
        }
        coefficients[4u * (quad * COLUMNS + GROUP * joint + i) + of_quad] = value;
    }
    let turn = rotation[lane];
    let offset = position[lane] - turn * rest_joint[lane];
    for (var k = 0u; k < TRANSFORM; k++) {
        var value = offset[k / 4u];
        if k % 4u < 3u {
            value = turn[k % 4u][k / 4u];
        }
        transforms[4u * ((quad * 16u + joint) * TRANSFORM + k) + of_quad] = value;
    }
    let at = problem * STRIDE;
    let transl = vec3<f32>(parameters[at + TRANSL], parameters[at + TRANSL + 1u], parameters[at + TRANSL + 2u]);
    joints[16u * problem + joint] = vec4<f32>(parameters[at + SCALE] * position[lane] + transl, 0.0);
}
