//! A view: what a table shows, as the Lua table `view_info` of a file describes it.
//!
//! The names are those of the files that people have written for csysdig.

use serde::Deserialize;

/// One view.
#[derive(Debug, Clone, Deserialize)]
pub struct View {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// What to look at first and what the columns tell, a paragraph each.
    #[serde(default)]
    pub tips: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default, rename = "view_type")]
    pub kind: Kind,
    /// May be the first one on the screen.
    #[serde(default)]
    pub is_root: bool,
    /// The fields of selections that it can show; `""` is the whole machine.
    #[serde(default)]
    pub applies_to: Vec<String>,
    #[serde(default)]
    pub filter: String,
    /// Numbers without a value count as 0. Otherwise events that lack one of the fields are left out.
    #[serde(default)]
    pub use_defaults: bool,
    /// Id of the view that shows the selected row.
    #[serde(default)]
    pub drilldown_target: Option<String>,
    /// Drilling down goes one level deeper into nested spans.
    #[serde(default)]
    pub drilldown_increase_depth: bool,
    #[serde(default)]
    pub spectro_type: Option<String>,
    /// Live, rows stay from sample to sample.
    #[serde(default)]
    pub keeps_rows: bool,
    /// Threads that did nothing have rows, too, where the key is known of threads.
    #[serde(default = "yes")]
    pub shows_idle: bool,
    /// The views reached from here keep its filter.
    #[serde(default = "yes")]
    pub propagate_filter: bool,
    pub columns: Vec<Column>,
    #[serde(default)]
    pub actions: Vec<Action>,
}

/// What kind of screen a view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A row for each value of a key.
    #[default]
    Table,
    /// A row for each event.
    List,
    /// A line for each interval, coloured by how often each latency occurred.
    Spectrogram,
}

/// One column.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    /// The heading; `NA` is a column that is not shown.
    pub name: String,
    pub field: String,
    /// What drilling down compares, if not `field`.
    #[serde(default)]
    pub filterfield: Option<String>,
    #[serde(default)]
    pub description: String,
    /// Characters; 0 is the rest of the line.
    #[serde(default, rename = "colsize")]
    pub width: usize,
    #[serde(default)]
    pub aggregation: Aggregation,
    #[serde(default)]
    pub groupby_aggregation: Aggregation,
    /// There is a row for each of its values; of several keys, for each combination.
    #[serde(default)]
    pub is_key: bool,
    /// Rows with the same value become one in a second step.
    #[serde(default)]
    pub is_groupby_key: bool,
    /// The table is sorted by it at first.
    #[serde(default)]
    pub is_sorting: bool,
    /// The comparison with the key is left out deeper down.
    #[serde(default)]
    pub filter_in_child_only: bool,
    /// `containers`: only with `-pc`; `default`: only without.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Shown as a bar whose length is the share of the largest value.
    #[serde(default)]
    pub is_bar: bool,
}

/// How the values of several events become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Aggregation {
    /// The first one stays.
    #[default]
    None,
    Sum,
    Avg,
    /// The sum by second.
    TimeAvg,
    Min,
    Max,
    /// What half, 95 and 99 percent of the values do not exceed.
    P50,
    P95,
    P99,
}

impl Aggregation {
    /// For percentiles the part of the values, from 0 to 1.
    pub const fn percentile(self) -> Option<f64> {
        match self {
            Aggregation::P50 => Some(0.5),
            Aggregation::P95 => Some(0.95),
            Aggregation::P99 => Some(0.99),
            _ => None,
        }
    }
}

/// A command that can be run on the selected row.
#[derive(Debug, Clone, Deserialize)]
pub struct Action {
    pub hotkey: String,
    /// For the shell, with `%field` for the values of the row.
    pub command: String,
    #[serde(default)]
    pub description: String,
    /// A key press is waited for before the screen comes back.
    #[serde(default = "yes")]
    pub wait_finish: bool,
    #[serde(default)]
    pub ask_confirmation: bool,
}

const fn yes() -> bool {
    true
}

impl Column {
    /// Whether it is there in this mode.
    pub fn applies(&self, containers: bool) -> bool {
        let tagged = |name: &str| self.tags.iter().any(|tag| tag == name);
        self.tags.is_empty() || tagged(if containers { "containers" } else { "default" })
    }

    /// Keys are for the other columns to show.
    pub fn is_shown(&self) -> bool {
        self.name != "NA" && !self.is_key && !self.is_groupby_key
    }
}

impl View {
    /// Whether it can show a selection by this field; `""` is the whole machine.
    pub fn applies_to(&self, field: &str) -> bool {
        self.applies_to.iter().any(|one| one == field)
    }

    /// Whether people choose it from the menu.
    pub fn is_offered(&self) -> bool {
        !self.tags.iter().any(|tag| tag == "nocsysdig")
    }
}

/// Puts the depth into a field or filter: `%depth`, `%depth+1`, `%depth-1`.
pub fn at_depth(text: &str, depth: u32) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%depth") {
        out.push_str(before);
        let (depth, after) = match (after.strip_prefix("+1"), after.strip_prefix("-1")) {
            (Some(after), _) => (depth.saturating_add(1), after),
            (_, Some(after)) => (depth.saturating_sub(1), after),
            _ => (depth, after),
        };
        out.push_str(&depth.to_string());
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_put_into_fields_and_filters() {
        assert_eq!(at_depth("span.tag[%depth]", 2), "span.tag[2]");
        assert_eq!(at_depth("span.ntags>=%depth+1 and %depth-1", 0), "span.ntags>=1 and 0");
        assert_eq!(at_depth("evt.type=open", 7), "evt.type=open");
    }
}
