// Where a silhouette edge crosses the line between two neighbouring pixel centres (Laine et al. 2020, "Modular
// Primitives", §3.3). There the edges of the front pixel's triangle are looked at, neighbours come from a hash table; here
// the line is followed from triangle to triangle by the mesh's adjacency, because triangles seen at a grazing angle are
// much thinner than a pixel. Names the kernel's `positions`, `wings`.
//#use common/camera

// A triangle, and across each of its edges (corner k to k + 1) the neighbour's opposite vertex and the neighbour.
struct Wing {
    corners: vec4<u32>,
    across: vec4<u32>,
    beside: vec4<u32>,
}

// Triangles between a pixel's centre and the silhouette, at most; a pixel of a fine mesh has about a dozen.
const MAX_STEPS: u32 = 48u;
// A surface is looked for silhouettes within a pixel where the cosine between its normal and the view is less: at the
// distance of a pixel from the silhouette of a round body of 8 pixels' radius.
const GRAZING: f32 = 0.5;

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

// `front` is the nearer triangle (id + 1), `p` its pixel centre, the other pixel lies at p + step. Follows the surface from
// p towards the other pixel, to the silhouette edge where it ends or until it reaches that pixel.
fn find_crossing(v: View, front: u32, p: vec2<f32>, step: vec2<f32>) -> Crossing {
    var result: Crossing;
    result.found = false;
    result.along_y = step.y != 0.0;
    result.towards = step.x + step.y;
    var triangle = front - 1u;
    var previous = triangle;
    for (var i = 0u; i < MAX_STEPS; i++) {
        let f = wings[triangle].corners;
        let beside = wings[triangle].beside;
        var s: array<vec2<f32>, 3>;
        s[0] = screen(v, positions[f.x].xyz) - p;
        s[1] = screen(v, positions[f.y].xyz) - p;
        s[2] = screen(v, positions[f.z].xyz) - p;
        // Where the line through both centres leaves the triangle: its farther edge, not the one it came in by.
        var exit = 3u;
        var t = -3.0e38;
        for (var k = 0u; k < 3u; k++) {
            var a = s[k];
            var b = s[(k + 1u) % 3u];
            if result.along_y {
                a = a.yx;
                b = b.yx;
            }
            if beside[k] == previous || (a.y < 0.0) == (b.y < 0.0) {
                continue;
            }
            let at = result.towards * (a.x - a.y * (b.x - a.x) / (b.y - a.y));
            if at > t {
                t = at;
                exit = k;
            }
        }
        if exit == 3u || t > 1.0 {
            return result;
        }
        let next = (exit + 1u) % 3u;
        if is_silhouette(v, wings[triangle].across[exit], p, s[exit], s[next], s[(exit + 2u) % 3u]) {
            // Each stretch of an outline counts once: in horizontal pairs where it is steep, in vertical ones where it is
            // flat. Counted in both, its gradient would be twice what the picture changes by.
            let extent = abs(s[next] - s[exit]);
            result.found = select(extent.y >= extent.x, extent.x > extent.y, result.along_y);
            // The rasteriser may see a triangle that ends a rounding error before the centre.
            result.t = max(t, 0.0);
            result.a = f[exit];
            result.b = f[next];
            return result;
        }
        previous = triangle;
        triangle = beside[exit];
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
