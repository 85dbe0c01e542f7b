//! A made-up model in MANO's layout (a capped tube with its counts), written as a Python 2 pickle or as an NPZ archive.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::Cursor;
use thenar::anatomy::{JOINT_PARENTS, JOINTS, Side};

/// Vertices around a ring; the mesh is 48 rings, a cap of ten vertices and one opening.
const AROUND: u32 = 16;
const RINGS: u32 = 48;
const VERTICES: u32 = 778;

/// Fields in the order they are written.
#[derive(Clone)]
pub(crate) struct ManoFile(Vec<(&'static str, Vec<usize>, Vec<f64>)>);

fn unit(seed: u32) -> f64 {
    // A hash of the index, −0.5 to 0.5: numbers without structure that are the same everywhere.
    let mut x = seed.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    x ^= x >> 15;
    x = x.wrapping_mul(0x2c1b_3c6d);
    x ^= x >> 13;
    f64::from(x) / f64::from(u32::MAX) - 0.5
}

fn noise(count: usize, seed: u32, size: f64) -> Vec<f64> {
    (0..u32::try_from(count).expect("few")).map(|i| size * unit(i ^ (seed << 20))).collect()
}

/// 48 rings of 16 (768 vertices), then ten more that close the far end by a fan of fans.
fn mesh(side: Side) -> (Vec<f64>, Vec<f64>) {
    let sign = if side == Side::Right { 1.0 } else { -1.0 };
    let mut template = Vec::new();
    for ring in 0..RINGS {
        for k in 0..AROUND {
            let angle = std::f64::consts::TAU * f64::from(k) / f64::from(AROUND);
            let x = 0.09 - 0.004 * f64::from(ring);
            template.extend([sign * x, 0.02 * angle.cos(), 0.03 * angle.sin()]);
        }
    }
    // A strip of ten vertices along the middle of the cap.
    for k in 0..10 {
        template.extend([sign * -0.105, 0.012 - 0.0027 * f64::from(k), 0.0]);
    }
    let mut faces: Vec<[u32; 3]> = Vec::new();
    for ring in 0..RINGS - 1 {
        for k in 0..AROUND {
            let (a, b) = (ring * AROUND + k, ring * AROUND + (k + 1) % AROUND);
            faces.extend([[a, b, a + AROUND], [b, b + AROUND, a + AROUND]]);
        }
    }
    cap(&mut faces);
    if side == Side::Left {
        faces.iter_mut().for_each(|f| f.swap(1, 2));
    }
    (template, faces.iter().flatten().map(|v| f64::from(*v)).collect())
}

/// Closes the last ring: its vertices 0 to 15, the strip's 768 to 777 from vertex 0's side to vertex 8's.
fn cap(faces: &mut Vec<[u32; 3]>) {
    let rim = |k: u32| (RINGS - 1) * AROUND + k % AROUND;
    let strip = |i: u32| 768 + i;
    // The strip as a closed walk: there along one side, back along the other.
    let walk: Vec<u32> = (0..10).chain((1..9).rev()).map(strip).collect();
    let n = u32::try_from(walk.len()).expect("18");
    // Zip the ring (16 steps) to the walk (18 steps), both once around.
    let (mut i, mut j) = (0, 0);
    while i < AROUND || j < n {
        let (a, w) = (rim(i), walk[(j % n) as usize]);
        if j >= n || (i < AROUND && i * n <= j * AROUND) {
            faces.push([a, rim(i + 1), w]);
            i += 1;
        } else {
            faces.push([a, walk[((j + 1) % n) as usize], w]);
            j += 1;
        }
    }
}

impl ManoFile {
    /// A sound model. Shape directions do not depend on the side.
    pub(crate) fn tube(side: Side) -> Self {
        let v = VERTICES as usize;
        let (template, faces) = mesh(side);
        let mut weights = vec![0.0; v * JOINTS];
        let mut regressor = vec![0.0; JOINTS * v];
        for joint in 0..JOINTS {
            for k in 0..AROUND as usize {
                regressor[joint * v + joint * 3 * AROUND as usize + k] = 1.0 / f64::from(AROUND);
            }
        }
        for (vertex, row) in weights.chunks_exact_mut(JOINTS).enumerate() {
            let joint = (vertex / (3 * AROUND as usize)).min(JOINTS - 1);
            row[joint] = 0.75;
            row[joint.saturating_sub(1)] += 0.25;
        }
        let mut tree: Vec<f64> = JOINT_PARENTS.iter().map(|p| f64::from(*p)).collect();
        tree[0] = 4_294_967_295.0;
        tree.extend((0..16).map(f64::from));
        let mut components = noise(45 * 45, 5, 0.02);
        for i in 0..45 {
            components[46 * i] += 1.0;
        }
        Self(vec![
            ("v_template", vec![v, 3], template),
            ("shapedirs", vec![v, 3, 10], noise(v * 30, 1, 0.004)),
            ("posedirs", vec![v, 3, 135], noise(v * 405, 2, 0.001)),
            ("J_regressor", vec![JOINTS, v], regressor),
            ("weights", vec![v, JOINTS], weights),
            ("kintree_table", vec![2, JOINTS], tree),
            ("f", vec![faces.len() / 3, 3], faces),
            ("hands_components", vec![45, 45], components),
            ("hands_mean", vec![45], noise(45, 3, 0.4)),
        ])
    }

    fn field(&mut self, name: &str) -> &mut (&'static str, Vec<usize>, Vec<f64>) {
        self.0.iter_mut().find(|(n, ..)| *n == name).unwrap_or_else(|| panic!("there is a field {name}"))
    }

    pub(crate) fn value(&mut self, name: &str) -> &mut [f64] {
        &mut self.field(name).2
    }

    pub(crate) fn set(&mut self, name: &str, shape: &[usize], values: Vec<f64>) {
        let field = self.field(name);
        (field.1, field.2) = (shape.to_vec(), values);
    }

    /// Another shape; values are cut or padded to fit.
    pub(crate) fn set_shape(&mut self, name: &str, shape: &[usize]) {
        let field = self.field(name);
        field.1 = shape.to_vec();
        field.2.resize(shape.iter().product(), 0.0);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(n, ..)| *n != name);
    }

    /// As `cPickle` of Python 2 writes it, protocol 2.
    pub(crate) fn pickle(&self) -> Vec<u8> {
        let mut p = b"\x80\x02}(".to_vec();
        let int = |p: &mut Vec<u8>, n: usize| {
            p.push(b'J');
            p.extend(i32::try_from(n).expect("small").to_le_bytes());
        };
        let string = |p: &mut Vec<u8>, s: &str| {
            p.extend([b'U', u8::try_from(s.len()).expect("short")]);
            p.extend(s.as_bytes());
        };
        for (name, shape, values) in &self.0 {
            string(&mut p, name);
            p.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01(");
            shape.iter().for_each(|n| int(&mut p, *n));
            p.extend(
                b"tcnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            );
            p.extend(u32::try_from(8 * values.len()).expect("small").to_le_bytes());
            p.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            p.extend(b"tb");
        }
        p.extend(b"u.");
        p
    }

    /// As `numpy.savez` writes it.
    pub(crate) fn npz(&self) -> Vec<u8> {
        use npyz::WriterBuilder as _;
        let mut bytes = Cursor::new(Vec::new());
        let mut npz = npyz::npz::NpzWriter::new(&mut bytes);
        for (name, shape, values) in &self.0 {
            let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
            let mut array = npz
                .array(name, Default::default())
                .expect("an entry")
                .default_dtype()
                .shape(&shape)
                .begin_nd()
                .expect("a header");
            array.extend(values.iter().copied()).expect("values");
            array.finish().expect("an end");
        }
        drop(npz);
        bytes.into_inner()
    }
}
