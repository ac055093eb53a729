//! `json=FILE` to a form of the result and where it goes.

use std::path::PathBuf;

use crate::metrics::Metric;

/// A form of the result, and where to put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The form.
    pub form: Form,
    /// The file; without one it goes to stdout.
    pub file: Option<PathBuf>,
}

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// The result file, which the other commands read.
    Json,
    /// The time series, a line an interval.
    Csv,
    /// The `HdrHistogram` interval log, with every histogram.
    Hlog,
    /// The `HdrHistogram` percentile table of one histogram, which its plotter reads; `None` is
    /// that of the round trip, or of the whole opening handshake where there are no messages.
    Hgrm(Option<Metric>),
}

impl Form {
    /// As it is typed, without a metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Hlog => "hlog",
            Self::Hgrm(_) => "hgrm",
        }
    }
}

impl Output {
    /// Text on stdout.
    pub const TEXT: Self = Self { form: Form::Text, file: None };

    /// Reads `FORM` or `FORM=-`, which are stdout, or `FORM=FILE`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (form, file) = match text.split_once('=') {
            None | Some((_, "-")) => (text.strip_suffix("=-").unwrap_or(text), None),
            Some((_, "")) => return Err("no file behind the =; use one, or - for stdout".into()),
            Some((form, file)) => (form, Some(file.into())),
        };
        let form = match form {
            "text" => Form::Text,
            "json" => Form::Json,
            "csv" => Form::Csv,
            "hlog" => Form::Hlog,
            "hgrm" => Form::Hgrm(None),
            form => match form.strip_prefix("hgrm:") {
                Some(name) => Form::Hgrm(Some(metric(name)?)),
                None => {
                    return Err("use text, json, csv, hlog, hgrm or hgrm:METRIC, \
                                and =FILE for a file, as in json=FILE"
                        .into());
                }
            },
        };
        Ok(Self { form, file })
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    Metric::named(name).ok_or_else(|| {
        let names: Vec<_> = Metric::ALL.into_iter().map(Metric::name).collect();
        format!("no metric of that name; use one of {}", names.join(", "))
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
            ("hgrm=a=b", Form::Hgrm(None), file()),
            ("hgrm:connect.tcp=a=b", Form::Hgrm(Some(Metric::ConnectTcp)), file()),
            ("hgrm:rtt.service", Form::Hgrm(Some(Metric::RttService)), None),
        ] {
            assert_eq!(Output::parse(text), Ok(Output { form, file }), "{text}");
        }
        for (text, why) in [
            ("", "use text, json"),
            ("yaml=f", "use text, json"),
            ("json=", "no file behind the ="),
            ("hgrm:nonsense=f", "use one of connect.lag"),
        ] {
            assert!(Output::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
