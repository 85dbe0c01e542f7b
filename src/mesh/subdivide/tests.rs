use super::*;

fn tetrahedron() -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
    let p = vec![[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]];
    (p, vec![[0, 1, 3], [0, 2, 1], [0, 3, 2], [1, 2, 3]])
}

#[test]
fn counts_multiply_by_four_and_constants_stay() {
    let (p, f) = tetrahedron();
    let mut topology = Topology::new(p.len(), &f);
    let mut ones = vec![[1.0]; p.len()];
    for _ in 0..3 {
        let step = LoopStep::new(&topology);
        ones = step.apply(&ones);
        assert_eq!(step.faces.len(), topology.faces.len() * 4, "four children a triangle");
        topology = Topology::new(step.fine_vertices(), &step.faces);
        assert!(topology.is_manifold(), "subdivision keeps the manifold");
    }
    assert!(ones.iter().all(|o| (o[0] - 1.0).abs() < 1e-12), "weights of every row sum to one");
}

#[test]
fn a_flat_regular_patch_is_reproduced_exactly() {
    // Loop subdivision has linear precision on regular interiors: x and y of a flat grid stay affine.
    let n = 6;
    let mut p = Vec::new();
    let mut f = Vec::new();
    for y in 0..n {
        for x in 0..n {
            p.push([f64::from(x), f64::from(y), 0.0]);
        }
    }
    for y in 0..n - 1 {
        for x in 0..n - 1 {
            let i = (y * n + x) as u32;
            let w = n as u32;
            f.push([i, i + 1, i + w + 1]);
            f.push([i, i + w + 1, i + w]);
        }
    }
    let topology = Topology::new(p.len(), &f);
    let step = LoopStep::new(&topology);
    let fine = step.apply(&p);
    for (i, e) in topology.edges.iter().enumerate() {
        let [a, b] = e.vertices.map(|v| p[v as usize]);
        let mid = [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
        let odd = fine[p.len() + i];
        assert!((odd[0] - mid[0]).abs() < 1e-12 && (odd[1] - mid[1]).abs() < 1e-12, "edge {i} lands on its middle");
    }
    let even = fine[2 * n as usize + 3];
    assert!((even[0] - 3.0).abs() < 1e-12 && (even[1] - 2.0).abs() < 1e-12, "a regular even vertex stays");
}

#[test]
fn uv_seams_stay_apart() {
    let (uvs, corners) = midpoint_uvs(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &[[0, 1, 2]]);
    assert_eq!(uvs.len(), 6, "three corners and three midpoints");
    assert_eq!(corners.len(), 4, "four children");
    assert_eq!(uvs[corners[3][0] as usize], [0.5, 0.0], "the middle triangle joins the midpoints");
}
