// The hand layer's last step back, one workgroup per quad: from the moments of the vertices, the gradients by the
// coefficients and by the posed joints, through the tree to the parameters. Twin: hand/layer/backward.
//#use common/joint_frames
@group(0) @binding(0) var<uniform> layer: LayerParams;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> joint_model: array<f32>;
@group(0) @binding(3) var<storage, read> moments: array<f32>;            // per quad 17 x 12, over problems
@group(0) @binding(4) var<storage, read> coefficient_grads: array<f32>;  // per quad 160, over problems
@group(0) @binding(5) var<storage, read> joint_grads: array<vec4<f32>>;  // 16 per problem
@group(0) @binding(6) var<storage, read_write> parameter_grads: array<f32>; // 64 per problem

var<workgroup> rotation_grad: array<mat3x3<f32>, 64>;
var<workgroup> position_grad: array<vec3<f32>, 64>;
var<workgroup> rest_grad: array<vec3<f32>, 64>;
var<workgroup> vector_grad: array<vec3<f32>, 64>;
var<workgroup> scale_part: array<f32, 64>;

// Adds what child joint `child` passes to its parent `lane`.
fn gather_child(lane: u32, child: u32) {
    let by_position = position_grad[child];
    let bone = rest_joint[child] - rest_joint[lane];
    rotation_grad[lane] += rotation_grad[child] * transpose(local_rotation[child]) + outer(by_position, bone);
    position_grad[lane] += by_position;
    rest_grad[lane] -= transpose(rotation[lane]) * by_position;
}

@compute @workgroup_size(64)
fn pose_joints_grad(
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

    // The joint's own part: from G, o and p.
    var m: array<f32, 12>;
    for (var k = 0u; k < TRANSFORM; k++) {
        m[k] = moments[4u * ((quad * 17u + joint) * TRANSFORM + k) + of_quad];
    }
    let by_rotation = mat3x3<f32>(
        vec3<f32>(m[0], m[4], m[8]), vec3<f32>(m[1], m[5], m[9]), vec3<f32>(m[2], m[6], m[10]));
    let by_offset = vec3<f32>(m[3], m[7], m[11]);
    let by_joint = joint_grads[16u * problem + joint].xyz;
    let turn = rotation[lane];
    let offset = position[lane] - turn * rest_joint[lane];
    let scale = parameters[problem * STRIDE + SCALE];
    scale_part[lane] = dot(by_rotation[0], turn[0]) + dot(by_rotation[1], turn[1]) + dot(by_rotation[2], turn[2])
        + dot(by_offset, offset) + dot(by_joint, position[lane]);
    rotation_grad[lane] = (by_rotation - outer(by_offset, rest_joint[lane])) * scale;
    position_grad[lane] = (by_offset + by_joint) * scale;
    rest_grad[lane] = transpose(turn) * by_offset * -scale;

    // From the tips to the wrist: each joint gathers from the joints that hang on it.
    for (var up = 0u; up < 3u; up++) {
        workgroupBarrier();
        if depth_of(joint) == 2u - up {
            if joint == 0u {
                for (var child = 1u; child < 16u; child += 3u) {
                    gather_child(lane, lane + child);
                }
            } else {
                gather_child(lane, lane + 1u);
            }
        }
    }
    workgroupBarrier();

    // Local rotation, its corrective features, and the axis-angle vector.
    let columns = quad * COLUMNS + GROUP * joint;
    var local_grad = rotation_grad[lane];
    if joint == 0u {
        rest_grad[lane] += position_grad[lane];
    } else {
        let to_parent = transpose(rotation[lane - joint + PARENTS[joint]]);
        local_grad = to_parent * local_grad;
        for (var c = 0u; c < 3u; c++) {
            for (var r = 0u; r < 3u; r++) {
                local_grad[c][r] += coefficient_grads[4u * (columns + 3u * r + c) + of_quad];
            }
        }
        rest_grad[lane] += to_parent * position_grad[lane];
    }
    let a = local_grad * transpose(local_rotation[lane]);
    let by_turn = vec3<f32>(a[1].z - a[2].y, a[2].x - a[0].z, a[0].y - a[1].x);
    vector_grad[lane] = transpose(left_jacobian(joint_vector(problem, joint))) * by_turn;
    workgroupBarrier();

    let out = problem * STRIDE;
    let wrist = lane - joint;
    if joint == 0u {
        var transl = vec3<f32>(0.0);
        for (var r = 0u; r < 3u; r++) {
            transl[r] = moments[4u * ((quad * 17u + 16u) * TRANSFORM + 4u * r + 3u) + of_quad];
        }
        var scale_grad = 0.0;
        for (var j = 0u; j < 16u; j++) {
            transl += joint_grads[16u * problem + j].xyz;
            scale_grad += scale_part[wrist + j];
        }
        for (var r = 0u; r < 3u; r++) {
            parameter_grads[out + r] = vector_grad[lane][r];
            parameter_grads[out + TRANSL + r] = transl[r];
        }
        parameter_grads[out + SCALE] = scale_grad;
        parameter_grads[out + SCALE + 1u] = 0.0;
        parameter_grads[out + SCALE + 2u] = 0.0;
    }
    for (var k = joint; k < 45u; k += 16u) {
        var value = 0.0;
        if layer.components == 0u {
            value = vector_grad[wrist + 1u + k / 3u][k % 3u];
        } else if k < layer.components {
            for (var i = 0u; i < 45u; i++) {
                value += joint_model[POSE_BASIS + 45u * k + i] * vector_grad[wrist + 1u + i / 3u][i % 3u];
            }
        }
        parameter_grads[out + POSE + k] = value;
    }
    if joint < 10u {
        var value = coefficient_grads[4u * (quad * COLUMNS + joint) + of_quad];
        for (var j = 0u; j < 16u; j++) {
            value += dot(joint_shape(j, joint), rest_grad[wrist + j]);
        }
        parameter_grads[out + SHAPE + joint] = value;
    }
}
