// Gradient of `antialias`: to the plain colours (gather) and to the vertices of silhouette edges (fixed-point sums).
// Like it, for pixels at an edge; the others keep the gradient that was copied. Positions (per millimetre) are the last
// three of a vertex's words in `grads`, however many it has.
//#use common/index, common/pixel_list, common/neighbours, common/fixed_point
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> wings: array<Wing>;
@group(0) @binding(4) var<storage, read> colours: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> smooth_grad: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> colours_grad: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> edges: PixelList;
@group(0) @binding(8) var<storage, read_write> grads: array<atomic<i32>>;

fn add_position(vertex: u32, value: vec3<f32>) {
    let words = arrayLength(&grads) / arrayLength(&positions);
    let at = (vertex + 1u) * words - 3u;
    atomicAdd(&grads[at], to_fixed(value.x));
    atomicAdd(&grads[at + 1u], to_fixed(value.y));
    atomicAdd(&grads[at + 2u], to_fixed(value.z));
}

// Adds d(loss)/dt of a crossing to the two vertices of its edge.
fn crossing_grad(c: Crossing, front_centre: vec2<f32>, d_t: f32) {
    let xa = positions[c.a].xyz;
    let xb = positions[c.b].xyz;
    let ha = to_pixel(view, xa);
    let hb = to_pixel(view, xb);
    let sa = ha.xy / ha.z;
    let sb = hb.xy / hb.z;
    var a = sa - front_centre;
    var b = sb - front_centre;
    if c.along_y {
        a = a.yx;
        b = b.yx;
    }
    let dy = b.y - a.y;
    let k = -a.y / dy;
    let dx = b.x - a.x;
    let d = d_t * c.towards;
    var d_a = d * vec2<f32>(1.0 - k, -dx * b.y / (dy * dy));
    var d_b = d * vec2<f32>(k, dx * a.y / (dy * dy));
    if c.along_y {
        d_a = d_a.yx;
        d_b = d_b.yx;
    }
    add_position(c.a, 1e-3 * to_pixel_grad(view, vec3<f32>(d_a, -dot(sa, d_a)) / ha.z));
    add_position(c.b, 1e-3 * to_pixel_grad(view, vec3<f32>(d_b, -dot(sb, d_b)) / hb.z));
}

@compute @workgroup_size(64)
fn antialias_grad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_index(id, groups, 64u);
    if i >= edges.count {
        return;
    }
    let pixel = edges.entries[i].x;
    let own = edges.entries[i].y;
    let p = pixel_centre(view, pixel);
    let g = smooth_grad[pixel];
    var sum = g;
    for (var k = 0u; k < 4u; k++) {
        let n = neighbour(pixel, p, own, k);
        if !n.pair.found {
            continue;
        }
        let weight = abs(n.pair.cross.t - 0.5);
        if is_blended(n.pair) {
            // This pixel was blended: it gave up `weight` of its own colour, and the edge moves that weight.
            sum -= weight * g;
            if view.geometry == 1u {
                let d_t = dot(g, colours[n.pixel] - colours[pixel]) * select(1.0, -1.0, n.pair.own_front);
                let front_centre = select(p + n.step, p, n.pair.own_front);
                if d_t != 0.0 {
                    crossing_grad(n.pair.cross, front_centre, d_t);
                }
            }
        } else {
            // The neighbour took `weight` of this pixel's colour.
            sum += weight * smooth_grad[n.pixel];
        }
    }
    colours_grad[pixel] = sum;
}
