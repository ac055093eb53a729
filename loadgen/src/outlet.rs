//! Writes a report to the files and streams that it was asked for in.

use std::io::{self, BufWriter, Write, stdout};

use crate::config::{Form, Output};
use crate::exit::Failed;
use crate::replacement::Replacement;
use crate::report::text::Text;
use crate::report::{Report, csv, hgrm, hlog, html, influx, json, junit, markdown};
use crate::screen::Screen;

/// Where a report goes, opened before there is one: a failure to open afterwards would lose it.
#[derive(Debug)]
pub struct Outlets(Vec<Outlet>);

#[derive(Debug)]
struct Outlet {
    form: Form,
    /// The file with its name; `None` for stdout.
    file: Option<(Replacement, String)>,
}

impl Outlets {
    /// Opens the outputs. An existing file is unchanged until the report is written.
    ///
    /// # Errors
    /// [`Failed`] with the file that can't be written.
    pub fn open(outputs: &[Output]) -> Result<Self, Failed> {
        let open = |output: &Output| {
            let Some(path) = &output.file else {
                return Ok(Outlet { form: output.form, file: None });
            };
            let shown = path.display().to_string();
            let name = output.form.name();
            match Replacement::create(path) {
                Ok(file) => Ok(Outlet { form: output.form, file: Some((file, shown)) }),
                Err(error) => Err(Failed::usage(format!(
                    "-o {name}={} can't be written: {error}",
                    shown.escape_debug()
                ))),
            }
        };
        outputs.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Writes every output, even if one fails, and says which did.
    ///
    /// # Errors
    /// [`Failed`] with the last output that could not be written.
    pub fn write(self, report: &Report) -> Result<(), Failed> {
        let mut failed = None;
        for Outlet { form, file } in self.0 {
            let (written, name) = match file {
                None => (
                    put(form, report, Screen::of_stdout(), &mut stdout().lock()),
                    "stdout".to_owned(),
                ),
                Some((file, name)) => (file.finish(|file| put(form, report, None, file)), name),
            };
            if let Err(error) = written {
                failed = Some(Failed::run(format!(
                    "the result could not be written to {}: {error}",
                    name.escape_debug()
                )));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Writes the time series of a saved result as a run would have.
fn ndjson(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for row in &report.time_series.rows {
        serde_json::to_writer(&mut *out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

/// `screen` is the terminal behind `out`, if there is one.
fn put(form: Form, report: &Report, screen: Option<Screen>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match form {
        Form::Text => match screen {
            Some(Screen { width, has_colours: true, .. }) => {
                write!(out, "{:#width$}", Text(report))
            }
            Some(Screen { width, .. }) => write!(out, "{:width$}", Text(report)),
            None => write!(out, "{}", Text(report)),
        },
        Form::Json => json::write(report, &mut out),
        Form::Csv => csv::write(report, &mut out),
        Form::Hlog => hlog::write(report, &mut out),
        Form::Hgrm(metric) => hgrm::write(report, metric, &mut out),
        Form::Ndjson => ndjson(report, &mut out),
        Form::Influx => influx::write(report, &mut out),
        Form::Html => html::write(report, &mut out),
        Form::Markdown => markdown::write(report, &mut out),
        Form::Junit => junit::write(report, &mut out),
    }?;
    out.flush()
}
