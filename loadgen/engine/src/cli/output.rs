//! Turns `json=FILE`, or a file's extension, into a form of the result and where it goes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::metrics::Metric;
use crate::nearest::nearest;

/// A form of the result, and where to write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The form.
    pub form: Form,
    /// The file; `None` is stdout.
    pub file: Option<PathBuf>,
}

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// The result file, which the other commands read.
    Json,
    /// The time series, one line per interval.
    Csv,
    /// The `HdrHistogram` interval log, with every histogram.
    Hlog,
    /// The `HdrHistogram` percentile table of one histogram, which its plotter reads; `None` is
    /// that of the round trip, or of the whole opening handshake if there are no messages.
    Hgrm(Option<Metric>),
    /// The time series, a line of JSON per interval, written while the run goes on.
    Ndjson,
    /// The same as lines for `InfluxDB`.
    Influx,
    /// One page with pictures, which a browser opens without a network.
    Html,
    /// The most important numbers, for a summary of CI.
    Markdown,
    /// Test cases for CI, as the XML of `JUnit`.
    Junit,
}

impl Form {
    /// Checks whether it is written row by row while a run goes on.
    #[must_use]
    pub const fn is_streamed(self) -> bool {
        matches!(self, Self::Ndjson | Self::Influx)
    }

    /// Returns the name on the command line, without a metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Influx => "influx",
            Self::Hlog => "hlog",
            Self::Hgrm(_) => "hgrm",
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Junit => "junit",
        }
    }
}

impl Output {
    /// Text on stdout.
    pub const TEXT: Self = Self { form: Form::Text, file: None };

    /// Reads `FORM` or `FORM=-`, which are stdout, `FORM=FILE`, or a file whose extension names the
    /// form.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            None | Some((_, "-")) => (text.strip_suffix("=-").unwrap_or(text), None),
            Some((name, file)) => (name, Some(file)),
        };
        let form = match (Form::named(name)?, file) {
            (Some(_), Some("")) => {
                return Err("no file after the =; name one, or use - for stdout".into());
            }
            (Some(form), file) => return Ok(Self { form, file: file.map(Into::into) }),
            // The equals sign may be part of the file's name.
            (None, _) => Path::new(text).extension().and_then(Form::of_extension),
        };
        let form = form.ok_or(
            "use text, json, html, md, junit, csv, ndjson, influx, hlog, hgrm or hgrm:METRIC, with \
             =FILE for a file, as in json=FILE; or a file that ends with .txt, .json, .html, .md, .xml, .csv, \
             .ndjson, .hlog or .hgrm",
        )?;
        Ok(Self { form, file: Some(text.into()) })
    }
}

impl Form {
    /// Returns the form with a name, if there is one.
    fn named(name: &str) -> Result<Option<Self>, String> {
        Ok(Some(match name {
            "text" => Self::Text,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "ndjson" => Self::Ndjson,
            "influx" => Self::Influx,
            "hlog" => Self::Hlog,
            "hgrm" => Self::Hgrm(None),
            "html" => Self::Html,
            "md" => Self::Markdown,
            "junit" => Self::Junit,
            name => match name.strip_prefix("hgrm:") {
                Some(name) => Self::Hgrm(Some(metric(name)?)),
                None => return Ok(None),
            },
        }))
    }

    /// Returns the form of files with an extension.
    fn of_extension(extension: &OsStr) -> Option<Self> {
        match extension.to_str()? {
            "txt" => Some(Self::Text),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "ndjson" => Some(Self::Ndjson),
            "hlog" => Some(Self::Hlog),
            "hgrm" => Some(Self::Hgrm(None)),
            "html" => Some(Self::Html),
            "md" => Some(Self::Markdown),
            "xml" => Some(Self::Junit),
            _ => None,
        }
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    Metric::named(name).ok_or_else(|| {
        let near = nearest(name, Metric::ALL.map(Metric::name), 3);
        format!("no metric of that name; use {}; --threshold help lists all", near.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_files() {
        let file = || Some(PathBuf::from("a=b"));
        for (text, form, file) in [
            ("text", Form::Text, None),
            ("json", Form::Json, None),
            ("json=-", Form::Json, None),
            ("json=a=b", Form::Json, file()),
            ("csv=a=b", Form::Csv, file()),
            ("hlog=-", Form::Hlog, None),
            ("influx=a=b", Form::Influx, file()),
            ("hgrm=a=b", Form::Hgrm(None), file()),
            ("hgrm:connect.tcp=a=b", Form::Hgrm(Some(Metric::ConnectTcp)), file()),
            ("hgrm:rtt.service", Form::Hgrm(Some(Metric::RttService)), None),
        ] {
            assert_eq!(Output::parse(text), Ok(Output { form, file }), "{text}");
        }
        for (text, why) in [
            ("", "use text, json"),
            ("yaml=f", "use text, json"),
            ("json=", "no file after the ="),
            ("hgrm:conect.tcp=f", "use connect.tcp, "),
            ("result.yaml", "a file that ends with .txt, .json"),
            (".json", "use text, json"),
        ] {
            assert!(Output::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    /// FIELD E10: a file whose name says what it is needs no form.
    #[test]
    fn e10_the_extension_says_the_form() {
        for (text, form) in [
            ("result.json", Form::Json),
            ("out/a=b.json", Form::Json),
            ("series.csv", Form::Csv),
            ("rows.ndjson", Form::Ndjson),
            ("./r.txt", Form::Text),
            ("r.hlog", Form::Hlog),
            ("r.hgrm", Form::Hgrm(None)),
            ("r.html", Form::Html),
            ("summary.md", Form::Markdown),
            ("junit.xml", Form::Junit),
        ] {
            assert_eq!(Output::parse(text), Ok(Output { form, file: Some(text.into()) }));
        }
        let explicit = Output { form: Form::Csv, file: Some("r.json".into()) };
        assert_eq!(Output::parse("csv=r.json"), Ok(explicit));
    }
}
