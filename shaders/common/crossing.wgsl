// Where a silhouette edge crosses the line between two neighbouring pixel centres (Laine et al. 2020, "Modular
// Primitives", §3.3, with the true neighbour triangle instead of a hash table). Names the kernel's `positions`, `wings`.
//#use common/camera

// A triangle and the vertex across each of its edges (corner k to k + 1).
struct Wing {
    corners: vec4<u32>,
    across: vec4<u32>,
}

struct Crossing {
    found: bool,
    t: f32,              // distance from the front pixel's centre towards the other, 0..1
    along_y: bool,
    towards: f32,        // sign of the step from front to other
    a: u32,              // the edge's vertices
    b: u32,
}

// Screen position of a vertex, region pixels.
fn screen(v: View, x: vec3<f32>) -> vec2<f32> {
    let h = to_pixel(v, x);
    return h.xy / h.z;
}

// The edge a-b of a triangle with third corner c (all relative to p) is a silhouette when there is no triangle on its
// other side, or one that folds back to our side (the vertex across lies on c's side).
fn is_silhouette(v: View, across: u32, p: vec2<f32>, a: vec2<f32>, b: vec2<f32>, c: vec2<f32>) -> bool {
    if across == 0xffffffffu {
        return true;
    }
    let o = screen(v, positions[across].xyz) - p;
    return cross2(b - a, c - a) * cross2(b - a, o - a) > 0.0;
}

// Interpolated depth of a triangle at a pixel centre; infinite for background.
fn depth_at(v: View, triangle: u32, p: vec2<f32>) -> f32 {
    if triangle == 0u {
        return 3.0e38;
    }
    let f = wings[triangle - 1u].corners;
    let h0 = to_pixel(v, positions[f.x].xyz);
    let h1 = to_pixel(v, positions[f.y].xyz);
    let h2 = to_pixel(v, positions[f.z].xyz);
    let b = barycentric(p, h0, h1, h2);
    return b.lambda.x * h0.z + b.lambda.y * h1.z + b.lambda.z * h2.z;
}

// `front` is the nearer triangle (id + 1), `p` its pixel centre, the other pixel lies at p + step.
fn find_crossing(v: View, front: u32, p: vec2<f32>, step: vec2<f32>) -> Crossing {
    var result: Crossing;
    result.found = false;
    result.along_y = step.y != 0.0;
    result.towards = step.x + step.y;
    let f = wings[front - 1u].corners;
    let across = wings[front - 1u].across;
    var s: array<vec2<f32>, 3>;
    s[0] = screen(v, positions[f.x].xyz) - p;
    s[1] = screen(v, positions[f.y].xyz) - p;
    s[2] = screen(v, positions[f.z].xyz) - p;
    for (var k = 0u; k < 3u; k++) {
        let next = (k + 1u) % 3u;
        var a = s[k];
        var b = s[next];
        if result.along_y {
            a = a.yx;
            b = b.yx;
        }
        // The edge must cross the line through both centres.
        if (a.y < 0.0) == (b.y < 0.0) {
            continue;
        }
        let t = result.towards * (a.x - a.y * (b.x - a.x) / (b.y - a.y));
        if t < 0.0 || t > 1.0 {
            continue;
        }
        if !is_silhouette(v, across[k], p, s[k], s[next], s[(k + 2u) % 3u]) {
            continue;
        }
        result.found = true;
        result.t = t;
        result.a = f[k];
        result.b = f[next];
        return result;
    }
    return result;
}

// The pair (pixel, neighbour at +step): which of both is in front, and where the silhouette between them lies.
struct Pair {
    found: bool,
    own_front: bool,
    cross: Crossing,
}

fn pair_of(v: View, own: u32, other: u32, p: vec2<f32>, step: vec2<f32>) -> Pair {
    var pair: Pair;
    pair.found = false;
    if own == other {
        return pair;
    }
    let own_depth = depth_at(v, own, p);
    let other_depth = depth_at(v, other, p + step);
    // Ties go to the right or lower pixel, so both pixels of a pair decide alike.
    pair.own_front = own_depth < other_depth || (own_depth == other_depth && step.x + step.y < 0.0);
    if pair.own_front {
        pair.cross = find_crossing(v, own, p, step);
    } else {
        pair.cross = find_crossing(v, other, p + step, -step);
    }
    pair.found = pair.cross.found;
    return pair;
}
