//! Twin in `f64` of the whole network, of any widths, forward and backward; its gradient against differences of its value.

use super::layout::{Block, LEVELS, Taps, UnetShape};
use super::reference::{Convolution, Half, Normalisation};
use crate::neural::checks::numbers;
use crate::neural::reference::{linear, linear_grad, weight_grad};
use crate::shading::testing::central_difference;

/// The network for images of one size.
pub(super) struct Whole {
    pub shape: UnetShape,
    pub size: [usize; 2],
}

/// What stands between the layers, by level where there is one.
pub(super) struct Pass {
    parts: Vec<Vec<f64>>,
    coverage: Vec<Vec<f64>>,
    /// Inputs of the blocks on the way down, from the second on.
    inputs: Vec<Vec<f64>>,
    raw: Vec<[Vec<f64>; 2]>,
    middle: Vec<Vec<f64>>,
    left: Vec<Vec<f64>>,
    doubled: Vec<Vec<f64>>,
    joined: Vec<Vec<f64>>,
    above: Vec<[Vec<f64>; 2]>,
    pub outputs: Vec<f64>,
}

impl Whole {
    fn half(&self, level: usize, channels: u32) -> Half {
        Half { width: self.size[0] >> level, height: self.size[1] >> level, channels: channels as usize }
    }

    fn layer(&self, level: usize, taps: &Taps, cut: bool, bordered: bool) -> Convolution {
        Convolution {
            width: self.size[0] >> level,
            height: self.size[1] >> level,
            inputs: taps.inputs as usize,
            outputs: taps.outputs as usize,
            offset: taps.offset as usize,
            cut,
            bordered,
            biased: taps.biased,
        }
    }

    fn norm(&self, level: usize, which: usize) -> Normalisation {
        let offset = self.shape.down[level].norms.expect("on the way down")[which] as usize;
        Normalisation { channels: self.shape.channels(level) as usize, offset }
    }

    /// `coverage` is that of the largest size.
    pub(super) fn forward(&self, weights: &[f64], parts: &[Vec<f64>], coverage: &[f64]) -> Pass {
        let mut p = Pass {
            parts: parts.to_vec(),
            coverage: vec![coverage.to_vec()],
            inputs: Vec::new(),
            raw: Vec::new(),
            middle: Vec::new(),
            left: Vec::new(),
            doubled: vec![Vec::new(); LEVELS - 1],
            joined: vec![Vec::new(); LEVELS - 1],
            above: vec![Default::default(); LEVELS - 1],
            outputs: Vec::new(),
        };
        for (level, block) in self.shape.down.iter().enumerate() {
            if level > 0 {
                let half = self.half(level, self.shape.channels(level - 1));
                p.inputs.push(half.halve(&p.left[level - 1]));
                p.coverage.push(self.half(level, 1).halve(&p.coverage[level - 1]));
            }
            let mut first = Vec::new();
            for (part, taps) in block.first.iter().enumerate() {
                let x = if level == 0 { &parts[part] } else { &p.inputs[level - 1] };
                let own = self.layer(level, taps, false, true).forward(weights, x);
                first = if part == 0 { own } else { first.iter().zip(own).map(|(a, b)| a + b).collect() };
            }
            let coverage = &p.coverage[level];
            let middle = self.norm(level, 0).forward(weights, &first, coverage);
            let second = self.layer(level, &block.second, false, false).forward(weights, &middle);
            p.left.push(self.norm(level, 1).forward(weights, &second, coverage));
            p.middle.push(middle);
            p.raw.push([first, second]);
        }
        for level in (0..LEVELS - 1).rev() {
            let c = self.shape.channels(level);
            let (taps, block) = &self.shape.up[level];
            let small = if level + 2 == LEVELS { &p.left[level + 1] } else { &p.above[level + 1][1] };
            let doubled = self.half(level + 1, 2 * c).double(small);
            let below = self.layer(level, taps, false, false).forward(weights, &doubled);
            let pairs = below.chunks_exact(c as usize).zip(p.left[level].chunks_exact(c as usize));
            let joined: Vec<f64> = pairs.flat_map(|(below, skip)| [below, skip].concat()).collect();
            let middle = self.layer(level, &block.first[0], true, true).forward(weights, &joined);
            let out = self.layer(level, &block.second, true, false).forward(weights, &middle);
            (p.doubled[level], p.joined[level], p.above[level]) = (doubled, joined, [middle, out]);
        }
        p.outputs = linear(&self.shape.last, weights, &p.above[0][1]);
        p
    }

    /// Gradient to all weights and to the last part of the inputs, from that to the outputs.
    pub(super) fn backward(&self, weights: &[f64], p: &Pass, outputs_grad: &[f64]) -> [Vec<f64>; 2] {
        let mut weights_grad = vec![0.0; weights.len()];
        let mut note = |at: usize, own: &[f64]| weights_grad[at..][..own.len()].copy_from_slice(own);
        let last = &self.shape.last;
        note(last.offset as usize, &weight_grad(last, &p.above[0][1], outputs_grad));
        let mut g = linear_grad(last, weights, &p.above[0][1], outputs_grad, true);
        let mut skips = Vec::new();
        for level in 0..LEVELS - 1 {
            let c = self.shape.channels(level) as usize;
            let (taps, block) = &self.shape.up[level];
            let [middle, _] = &p.above[level];
            let second = self.layer(level, &block.second, true, false);
            note(second.offset, &second.weight_grad(middle, &g));
            g = second.grad(weights, middle, &g, 0);
            let first = self.layer(level, &block.first[0], true, true);
            note(first.offset, &first.weight_grad(&p.joined[level], &g));
            let joined = first.grad(weights, &p.joined[level], &g, c);
            let half = |from: usize| joined.chunks_exact(2 * c).flat_map(|row| row[from..from + c].to_vec()).collect();
            let below: Vec<f64> = half(0);
            skips.push(half(c));
            let up = self.layer(level, taps, false, false);
            note(up.offset, &up.weight_grad(&p.doubled[level], &below));
            let doubled = up.grad(weights, &p.doubled[level], &below, 2 * c);
            let small = if level + 2 == LEVELS { &p.left[level + 1] } else { &p.above[level + 1][1] };
            g = self.half(level + 1, taps.inputs).double_grad(small, &doubled);
        }
        for (level, block) in self.shape.down.iter().enumerate().rev() {
            let coverage = &p.coverage[level];
            let [norm, second_norm] = [0, 1].map(|which| self.norm(level, which));
            let [own, raw] = second_norm.grad(weights, &p.raw[level][1], coverage, &g);
            note(second_norm.offset, &own);
            let second = self.layer(level, &block.second, false, false);
            note(second.offset, &second.weight_grad(&p.middle[level], &raw));
            let middle = second.grad(weights, &p.middle[level], &raw, 0);
            let [own, raw] = norm.grad(weights, &p.raw[level][0], coverage, &middle);
            note(norm.offset, &own);
            g = self.first_grad(level, block, [weights, &raw], p, &mut note);
            if level > 0 {
                let half = self.half(level, self.shape.channels(level - 1));
                let back = half.halve_grad(&p.left[level - 1], &g);
                g = skips[level - 1].iter().zip(back).map(|(a, b): (&f64, f64)| a + b).collect();
            }
        }
        [weights_grad, g]
    }

    /// Through the first convolution of a block on the way down: to its inputs, or to the last part of them.
    fn first_grad(
        &self,
        level: usize,
        block: &Block,
        [weights, y_grad]: [&[f64]; 2],
        p: &Pass,
        note: &mut impl FnMut(usize, &[f64]),
    ) -> Vec<f64> {
        let mut last = Vec::new();
        for (part, taps) in block.first.iter().enumerate() {
            let x = if level == 0 { &p.parts[part] } else { &p.inputs[level - 1] };
            let first = self.layer(level, taps, false, true);
            note(first.offset, &first.weight_grad(x, y_grad));
            last = first.grad(weights, x, y_grad, first.inputs);
        }
        last
    }
}

/// A tiny network with all its numbers, an image of which some sees nothing, and slopes of the loss.
struct Problem {
    whole: Whole,
    weights: Vec<f64>,
    parts: Vec<Vec<f64>>,
    coverage: Vec<f64>,
    slopes: Vec<f64>,
}

impl Problem {
    fn new() -> Self {
        let whole = Whole { shape: UnetShape::new(&[3, 2], 1), size: [32, 32] };
        let pixels = 32 * 32;
        // Larger at the smallest size, where there are few pixels.
        let mut weights = numbers(whole.shape.numbers() as usize, 201, 0.5);
        for (level, block) in whole.shape.down.iter().enumerate() {
            for at in block.norms.iter().flatten() {
                let channels = whole.shape.channels(level) as usize;
                weights[*at as usize..][..channels].iter_mut().for_each(|w| *w = 1.0 + 0.5 * *w);
            }
        }
        let coverage: Vec<f64> = (0..pixels).map(|i| if i % 32 < 9 { 0.0 } else { 1.0 }).collect();
        let parts = [(3, 202), (2, 203)].map(|(channels, seed)| numbers(pixels * channels, seed, 1.0)).to_vec();
        Self { whole, weights, parts, coverage, slopes: numbers(pixels * 8, 204, 1.0) }
    }

    fn value(&self, weights: &[f64], parts: &[Vec<f64>]) -> f64 {
        let outputs = self.whole.forward(weights, parts, &self.coverage).outputs;
        outputs.iter().zip(&self.slopes).map(|(y, s)| y * s).sum()
    }

    /// Numbers to try: some of every layer, and some of the last part of the inputs.
    fn lanes(&self) -> Vec<(bool, usize)> {
        let shape = &self.whole.shape;
        let mut lanes = Vec::new();
        let mut some = |offset: u32, count: u32| {
            lanes.extend((0..4).map(|i| (true, (offset + (i * count + count / 2) / 4 % count) as usize)));
        };
        let blocks = shape.down.iter().chain(shape.up.iter().map(|(_, block)| block));
        for taps in blocks.flat_map(|b| b.first.iter().chain([&b.second])).chain(shape.up.iter().map(|(t, _)| t)) {
            some(taps.offset, 9 * taps.inputs * taps.outputs);
            if taps.biased {
                some(taps.offset + 9 * taps.inputs * taps.outputs, taps.outputs);
            }
        }
        for (level, block) in shape.down.iter().enumerate() {
            for at in block.norms.iter().flatten() {
                some(*at, 2 * shape.channels(level));
            }
        }
        some(shape.last.offset, shape.last.numbers());
        lanes.extend((0..12).map(|i| (false, 171 * i + i % 2)));
        lanes
    }
}

#[test]
fn the_whole_gradient_matches_differences_and_one_per_cent_off_does_not() {
    let p = Problem::new();
    let pass = p.whole.forward(&p.weights, &p.parts, &p.coverage);
    let analytic = p.whole.backward(&p.weights, &pass, &p.slopes);
    let (mut compared, mut off, mut wrong) = (0, 0, Vec::new());
    let lanes = p.lanes();
    for &(weight, i) in &lanes {
        let value = |h: f64| {
            let (mut weights, mut parts) = (p.weights.clone(), p.parts.clone());
            if weight {
                weights[i] += h;
            } else {
                parts[1][i] += h;
            }
            p.value(&weights, &parts)
        };
        let gradient = analytic[usize::from(!weight)][i];
        let (near, far) = (central_difference(1e-6, value), central_difference(2e-6, value));
        // Where two steps disagree, a cut lies between.
        if (near - far).abs() > 1e-6 * (1.0 + near.abs()) {
            continue;
        }
        compared += 1;
        let differs = |factor: f64| (near - factor * gradient).abs() > 1e-5 * (1.0 + gradient.abs());
        off += usize::from(differs(1.01));
        if differs(1.0) {
            wrong.push((weight, i, gradient, near));
        }
    }
    assert!(wrong.is_empty(), "of {compared} lanes: {wrong:?}");
    assert!(compared * 10 > 8 * lanes.len(), "kinks are few: {compared} of {} lanes", lanes.len());
    assert!(off * 10 > 9 * compared, "one per cent is noticed: {off} of {compared}");
}
