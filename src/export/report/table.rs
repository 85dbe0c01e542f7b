//! Tables that are sorted by a click on a column's head.

use super::escaped;

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub title: String,
    /// What it means, shown when the head is pointed at.
    pub help: String,
    /// Whether its cells are numbers: they stand to the right and are sorted as numbers.
    pub number: bool,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// What is read.
    pub text: String,
    /// What is sorted by in a column of numbers.
    pub value: Option<f64>,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One cell a column; the first is the row's head.
    pub cells: Vec<Cell>,
    /// True for a row that is set apart.
    pub marked: bool,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<Row>,
    /// Rows that stay at the end: means.
    pub foot: Vec<Row>,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn text(title: &str, help: &str) -> Self {
        Self { title: title.to_owned(), help: help.to_owned(), number: false }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(title: &str, help: &str) -> Self {
        Self { title: title.to_owned(), help: help.to_owned(), number: true }
    }
}

impl Cell {
    /// A number with so many digits, or a dash.
    #[must_use]
    pub fn number(value: Option<f64>, digits: usize) -> Self {
        // Identical pictures have an infinite PSNR.
        let text = value
            .map_or_else(|| "–".to_owned(), |v| if v.is_infinite() { "∞".to_owned() } else { format!("{v:.digits$}") });
        Self { text, value }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), value: None }
    }
}

impl Table {
    pub(super) fn html(&self) -> String {
        let mut out = format!(
            "<div class=\"scroll\"><table class=\"sortable\"><caption>{}</caption>\n<thead><tr>",
            escaped(&self.caption)
        );
        for column in &self.columns {
            let class = if column.number { " class=\"number\"" } else { "" };
            let (title, help) = (escaped(&column.title), escaped(&column.help));
            out += &format!("<th scope=\"col\"{class}><button type=\"button\" title=\"{help}\">{title}</button></th>");
        }
        out += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            out += &self.row(row);
        }
        out += "</tbody>\n";
        if !self.foot.is_empty() {
            out += "<tfoot>\n";
            for row in &self.foot {
                out += &self.row(row);
            }
            out += "</tfoot>\n";
        }
        out + "</table></div>\n"
    }

    fn row(&self, row: &Row) -> String {
        let mut out = if row.marked { "<tr class=\"held\">".to_owned() } else { "<tr>".to_owned() };
        for (i, (cell, column)) in row.cells.iter().zip(&self.columns).enumerate() {
            let text = escaped(&cell.text);
            let sort = cell.value.filter(|v| v.is_finite() || v.is_infinite()).map_or_else(String::new, |v| {
                let v = if v.is_infinite() { f64::MAX.copysign(v) } else { v };
                format!(" data-sort=\"{v}\"")
            });
            let sort = if column.number && sort.is_empty() { " data-sort=\"\"".to_owned() } else { sort };
            out += &match (i, column.number) {
                (0, _) => format!("<th scope=\"row\"{sort}>{text}</th>"),
                (_, true) => format!("<td class=\"number\"{sort}>{text}</td>"),
                _ => format!("<td class=\"wide\">{text}</td>"),
            };
        }
        out + "</tr>\n"
    }
}
