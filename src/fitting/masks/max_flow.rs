//! Minimum cut of a graph with two terminals by augmenting paths in two search trees that are kept from one path to the
//! next (Boykov & Kolmogorov 2004, "An Experimental Comparison of Min-Cut/Max-Flow Algorithms for Energy Minimization in
//! Vision"). Capacities are `f64`; a path takes the capacity of its narrowest arc exactly, so that this becomes zero
//! without rounding. Arcs are visited in the order in which they were added: the same graph gives the same cut.

use std::collections::VecDeque;

/// No arc.
const NONE: u32 = u32::MAX;
/// The parent is the terminal itself.
const TERMINAL: u32 = u32::MAX - 1;
/// The parent was lost.
const ORPHAN: u32 = u32::MAX - 2;

struct Arc {
    head: u32,
    /// Next arc that leaves the same node.
    next: u32,
    residual: f64,
}

/// A graph whose nodes are to be divided between source (foreground) and sink (background).
pub(super) struct Graph {
    first: Vec<u32>,
    /// Arcs in pairs: `a ^ 1` is the way back.
    arcs: Vec<Arc>,
    /// Residual capacity from the source (positive) or to the sink (negative).
    terminal: Vec<f64>,
    parent: Vec<u32>,
    in_sink: Vec<bool>,
    distance: Vec<u32>,
    stamp: Vec<u32>,
    active: VecDeque<u32>,
    queued: Vec<bool>,
    orphans: VecDeque<u32>,
    time: u32,
}

impl Graph {
    /// A graph without arcs. `terminal` has one number a node: how much dearer background is than foreground.
    pub(super) fn new(terminal: Vec<f64>, arcs: usize) -> Self {
        let nodes = terminal.len();
        Self {
            first: vec![NONE; nodes],
            arcs: Vec::with_capacity(arcs * 2),
            terminal,
            parent: vec![NONE; nodes],
            in_sink: vec![false; nodes],
            distance: vec![0; nodes],
            stamp: vec![0; nodes],
            active: VecDeque::new(),
            queued: vec![false; nodes],
            orphans: VecDeque::new(),
            time: 0,
        }
    }

    /// What it costs, either way, to put two nodes on different sides.
    pub(super) fn link(&mut self, a: u32, b: u32, cost: f64) {
        let at = u32::try_from(self.arcs.len()).expect("graphs of image regions have far fewer than 2^31 arcs");
        self.arcs.push(Arc { head: b, next: self.first[a as usize], residual: cost });
        self.arcs.push(Arc { head: a, next: self.first[b as usize], residual: cost });
        self.first[a as usize] = at;
        self.first[b as usize] = at + 1;
    }

    /// The minimum cut: true for the nodes of the source's side. Nodes that either side may have go to the sink.
    pub(super) fn cut(mut self) -> Vec<bool> {
        for node in 0..self.terminal.len() {
            let excess = self.terminal[node];
            if excess != 0.0 {
                self.in_sink[node] = excess < 0.0;
                self.parent[node] = TERMINAL;
                self.distance[node] = 1;
                self.activate(index(node));
            }
        }
        while let Some(&node) = self.active.front() {
            let found = if self.parent[node as usize] == NONE { None } else { self.grow(node) };
            match found {
                Some(bridge) => {
                    self.time += 1;
                    self.augment(bridge);
                    while let Some(orphan) = self.orphans.pop_front() {
                        self.adopt(orphan);
                    }
                }
                None => {
                    self.active.pop_front();
                    self.queued[node as usize] = false;
                }
            }
        }
        self.parent.iter().zip(&self.in_sink).map(|(&parent, &sink)| parent != NONE && !sink).collect()
    }

    fn activate(&mut self, node: u32) {
        if !std::mem::replace(&mut self.queued[node as usize], true) {
            self.active.push_back(node);
        }
    }

    /// Residual of an arc in the direction of flow of its node's tree: away from the source, towards the sink.
    fn residual_outward(&self, arc: u32, in_sink: bool) -> f64 {
        self.arcs[(if in_sink { arc ^ 1 } else { arc }) as usize].residual
    }

    /// Takes free neighbours into the node's tree; an arc from the source's tree to the sink's ends the search.
    fn grow(&mut self, node: u32) -> Option<u32> {
        let i = node as usize;
        let in_sink = self.in_sink[i];
        let mut arc = self.first[i];
        while arc != NONE {
            if self.residual_outward(arc, in_sink) > 0.0 {
                let head = self.arcs[arc as usize].head;
                let j = head as usize;
                if self.parent[j] == NONE {
                    self.in_sink[j] = in_sink;
                    self.parent[j] = arc ^ 1;
                    self.stamp[j] = self.stamp[i];
                    self.distance[j] = self.distance[i] + 1;
                    self.activate(head);
                } else if self.in_sink[j] != in_sink {
                    return Some(if in_sink { arc ^ 1 } else { arc });
                } else if self.stamp[j] <= self.stamp[i] && self.distance[j] > self.distance[i] {
                    self.parent[j] = arc ^ 1;
                    self.stamp[j] = self.stamp[i];
                    self.distance[j] = self.distance[i] + 1;
                }
            }
            arc = self.arcs[arc as usize].next;
        }
        None
    }

    /// Sends through the path over `bridge` what its narrowest arc can carry.
    fn augment(&mut self, bridge: u32) {
        let ends = [self.arcs[(bridge ^ 1) as usize].head, self.arcs[bridge as usize].head];
        let mut flow = self.arcs[bridge as usize].residual;
        for (end, in_sink) in ends.into_iter().zip([false, true]) {
            let mut node = end as usize;
            while self.parent[node] != TERMINAL {
                let arc = self.parent[node];
                flow = flow.min(self.residual_outward(arc ^ 1, in_sink));
                node = self.arcs[arc as usize].head as usize;
            }
            flow = flow.min(self.terminal[node].abs());
        }
        self.push(bridge, flow);
        for (end, in_sink) in ends.into_iter().zip([false, true]) {
            let mut node = end as usize;
            while self.parent[node] != TERMINAL {
                let arc = self.parent[node];
                let next = self.arcs[arc as usize].head as usize;
                self.push(if in_sink { arc } else { arc ^ 1 }, flow);
                if self.residual_outward(arc ^ 1, in_sink) <= 0.0 {
                    self.lose_parent(node);
                }
                node = next;
            }
            self.terminal[node] += if in_sink { flow } else { -flow };
            if self.terminal[node] == 0.0 {
                self.lose_parent(node);
            }
        }
    }

    fn push(&mut self, arc: u32, flow: f64) {
        self.arcs[arc as usize].residual -= flow;
        self.arcs[(arc ^ 1) as usize].residual += flow;
    }

    fn lose_parent(&mut self, node: usize) {
        self.parent[node] = ORPHAN;
        self.orphans.push_front(index(node));
    }

    /// Finds an orphan a new parent in its tree, the nearest to the terminal, or lets it go free with its children.
    fn adopt(&mut self, orphan: u32) {
        let i = orphan as usize;
        let in_sink = self.in_sink[i];
        let (mut best, mut best_distance) = (NONE, u32::MAX);
        let mut arc = self.first[i];
        while arc != NONE {
            let j = self.arcs[arc as usize].head as usize;
            if self.residual_outward(arc ^ 1, in_sink) > 0.0
                && self.in_sink[j] == in_sink
                && self.parent[j] != NONE
                && let Some(distance) = self.distance_to_terminal(j)
            {
                if distance < best_distance {
                    (best, best_distance) = (arc, distance);
                }
                self.mark(j, distance);
            }
            arc = self.arcs[arc as usize].next;
        }
        self.parent[i] = best;
        if best != NONE {
            self.stamp[i] = self.time;
            self.distance[i] = best_distance + 1;
            return;
        }
        let mut arc = self.first[i];
        while arc != NONE {
            let head = self.arcs[arc as usize].head;
            let j = head as usize;
            let parent = self.parent[j];
            if self.in_sink[j] == in_sink && parent != NONE {
                if self.residual_outward(arc ^ 1, in_sink) > 0.0 {
                    self.activate(head);
                }
                if parent < ORPHAN && self.arcs[parent as usize].head == orphan {
                    self.parent[j] = ORPHAN;
                    self.orphans.push_back(head);
                }
            }
            arc = self.arcs[arc as usize].next;
        }
    }

    /// Arcs from a node to its terminal; `None` when the way up ends at an orphan.
    fn distance_to_terminal(&mut self, mut node: usize) -> Option<u32> {
        let mut distance = 0;
        loop {
            if self.stamp[node] == self.time {
                return Some(distance + self.distance[node]);
            }
            distance += 1;
            match self.parent[node] {
                TERMINAL => {
                    self.stamp[node] = self.time;
                    self.distance[node] = 1;
                    return Some(distance);
                }
                ORPHAN | NONE => return None,
                arc => node = self.arcs[arc as usize].head as usize,
            }
        }
    }

    /// Remembers the distances found on the way up.
    fn mark(&mut self, mut node: usize, mut distance: u32) {
        while self.stamp[node] != self.time {
            self.stamp[node] = self.time;
            self.distance[node] = distance;
            distance -= 1;
            node = self.arcs[self.parent[node] as usize].head as usize;
        }
    }
}

fn index(node: usize) -> u32 {
    u32::try_from(node).expect("image regions have far fewer than 2^32 pixels")
}

#[cfg(test)]
mod tests {
    use super::super::super::test_rig::Random;
    use super::*;

    struct Problem {
        terminal: Vec<f64>,
        links: Vec<(u32, u32, f64)>,
    }

    impl Problem {
        fn random(seed: u64) -> Self {
            let mut random = Random(seed);
            let nodes = 10;
            let mut links = Vec::new();
            for a in 0..nodes {
                for b in a + 1..nodes {
                    if random.unit() < 0.4 {
                        // Whole numbers too: ties between cuts must not confuse it.
                        let cost = 3.0 * random.unit();
                        links.push((a, b, if seed.is_multiple_of(3) { cost.floor() } else { cost }));
                    }
                }
            }
            let terminal = (0..nodes).map(|_| 4.0 * (random.unit() - 0.5)).collect();
            Self { terminal, links }
        }

        /// What a division costs beyond the best each node can do alone.
        fn cost(&self, foreground: &[bool]) -> f64 {
            let alone: f64 = self.terminal.iter().zip(foreground).map(|(t, f)| if *f { -t } else { *t }.max(0.0)).sum();
            let apart = |(a, b, _): &&(u32, u32, f64)| foreground[*a as usize] != foreground[*b as usize];
            alone + self.links.iter().filter(apart).map(|(_, _, cost)| cost).sum::<f64>()
        }

        fn least(&self) -> f64 {
            let nodes = self.terminal.len();
            (0..1_u32 << nodes)
                .map(|bits| self.cost(&(0..nodes).map(|n| bits >> n & 1 == 1).collect::<Vec<_>>()))
                .fold(f64::INFINITY, f64::min)
        }

        fn cut(&self) -> Vec<bool> {
            let mut graph = Graph::new(self.terminal.clone(), self.links.len());
            for &(a, b, cost) in &self.links {
                graph.link(a, b, cost);
            }
            graph.cut()
        }
    }

    #[test]
    fn no_division_costs_less() {
        for seed in 0..200 {
            let problem = Problem::random(seed);
            let (found, least) = (problem.cost(&problem.cut()), problem.least());
            assert!((found - least).abs() < 1e-9, "seed {seed}: the cut costs {found}, the best {least}");
        }
    }

    #[test]
    fn the_check_sees_a_worse_cut() {
        let worse = (0..50).filter(|&seed| {
            let problem = Problem::random(seed);
            let mut cut = problem.cut();
            cut[3] = !cut[3];
            problem.cost(&cut) > problem.least() + 1e-9
        });
        assert!(worse.count() > 40, "one node on the wrong side is nearly always dearer");
    }
}
