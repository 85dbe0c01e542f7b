//! Loss curves from the text of `metrics.jsonl`.

use crate::export::report::{Chart, Series};
use serde_json::{Map, Value};

/// Fields of a line that are no terms of the loss.
const NO_TERMS: [&str; 6] = ["t", "stage", "phase", "iter", "iters", "total"];

fn lines(text: &str) -> impl Iterator<Item = Map<String, Value>> + '_ {
    // A line cut off by a crash is no line.
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// Seconds of computing.
pub(super) fn seconds(text: &str) -> Option<f64> {
    lines(text).filter_map(|line| line.get("t")?.as_f64()).reduce(f64::max)
}

/// A chart for each phase that has a loss.
pub(super) fn charts(text: &str) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for line in lines(text) {
        let word = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or("?");
        let title = format!("{}: {}", word("stage"), word("phase"));
        let (Some(iter), Some(total)) =
            (line.get("iter").and_then(Value::as_f64), line.get("total").and_then(Value::as_f64))
        else {
            continue;
        };
        // Looking for keypoints or judging masks has no loss.
        if line.keys().all(|name| NO_TERMS.contains(&&**name)) {
            continue;
        }
        let at = charts.iter().position(|c| c.title == title).unwrap_or_else(|| {
            let x_label = if word("stage") == "fit" { "iteration" } else { "epoch" }.to_owned();
            charts.push(Chart { title, x_label, x: Vec::new(), series: Vec::new() });
            charts.len() - 1
        });
        let chart = &mut charts[at];
        chart.x.push(iter);
        let count = chart.x.len();
        let mut put = |name: &str, value: f64| {
            let known = chart.series.iter().position(|s| s.name == name);
            let known = known.unwrap_or_else(|| {
                chart.series.push(Series { name: name.to_owned(), values: Vec::new() });
                chart.series.len() - 1
            });
            let values = &mut chart.series[known].values;
            values.resize(count - 1, None);
            values.push(Some(value));
        };
        put("total", total);
        for (name, value) in line.iter().filter(|(name, _)| !NO_TERMS.contains(&&***name)) {
            if let Some(value) = value.as_f64() {
                put(name, value);
            }
        }
    }
    // A single term is the total.
    for chart in &mut charts {
        if chart.series.len() == 2 {
            chart.series.truncate(1);
        }
        for series in &mut chart.series {
            series.values.resize(chart.x.len(), None);
        }
    }
    charts.retain(|c| c.x.len() > 1);
    charts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_curves_and_a_torn_line_does_no_harm() {
        let text = concat!(
            "{\"t\":1,\"stage\":\"pose\",\"phase\":\"detect\",\"iter\":1,\"iters\":9,\"total\":0}\n",
            "{\"t\":2.5,\"stage\":\"ham\",\"phase\":\"shape\",\"iter\":1,\"iters\":2,\"total\":3,\"sfs\":2,\"lap\":1}\n",
            "{\"t\":3,\"stage\":\"ham\",\"phase\":\"shape\",\"iter\":2,\"iters\":2,\"total\":2.5,\"sfs\":1.5,\"mask\":1}\n",
            "{\"t\":3.5,\"stage\":\"neural\",\"phase\":\"paint\",\"iter\":1,\"iters\":2,\"total\":1,\"photometric\":1}\n",
            "{\"t\":4,\"stage\":\"neural\",\"phase\":\"paint\",\"iter\":2,\"iters\":2,\"total\":0.5,\"photometric\":0.5}\n",
            "{\"t\":5,\"stage\":\"neu",
        );
        let charts = charts(text);
        let titles: Vec<&str> = charts.iter().map(|c| &*c.title).collect();
        assert_eq!(titles, ["ham: shape", "neural: paint"], "what has a loss");
        assert_eq!(charts[0].x, [1.0, 2.0], "epochs");
        let of = |name: &str| charts[0].series.iter().find(|s| s.name == name).expect(name).values.clone();
        assert_eq!(of("total"), [Some(3.0), Some(2.5)], "the sum");
        assert_eq!((of("lap"), of("mask")), (vec![Some(1.0), None], vec![None, Some(1.0)]), "each at its place");
        assert_eq!(charts[0].series[0].name, "total", "first");
        assert_eq!(charts[1].series.len(), 1, "one term is the total");
        assert_eq!(seconds(text), Some(4.0), "the last whole line");
        assert_eq!(seconds(""), None, "nothing");
    }
}
