// The four neighbours of a pixel and the silhouette that lies between.
// Names the kernel's `view`, `ids` and what common/crossing names.
//#use common/ids, common/crossing

struct Neighbour {
    pixel: u32,
    step: vec2<f32>,     // to it
    pair: Pair,          // found only when a silhouette lies between
}

// Neighbour k of `pixel` (left, right, up, down), which lies at `p` and sees `own`.
fn neighbour(pixel: u32, p: vec2<f32>, own: u32, k: u32) -> Neighbour {
    var n: Neighbour;
    n.pair.found = false;
    let step = vec2<i32>(select(0, i32(k) * 2 - 1, k < 2u), select(0, i32(k) * 2 - 5, k >= 2u));
    let x = i32(pixel % view.width) + step.x;
    let y = i32(pixel / view.width) + step.y;
    if x < 0 || y < 0 || x >= i32(view.width) || y >= i32(view.height) {
        return n;
    }
    n.pixel = u32(y) * view.width + u32(x);
    n.step = vec2<f32>(step);
    let other = ids[n.pixel];
    if !may_be_edge(own, other) {
        return n;
    }
    n.pair = pair_of(view, triangle_of(own), triangle_of(other), p, n.step);
    return n;
}

// True when the pixel blends with the neighbour; otherwise, if a silhouette was found, the neighbour blends with it.
fn is_blended(pair: Pair) -> bool {
    return (pair.cross.t < 0.5) == pair.own_front;
}
