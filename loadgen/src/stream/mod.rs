//! Passes the time series on while a run goes on: a row a second as JSON, or metrics for
//! Prometheus.

mod endpoint;
mod page;

use std::fs::File;
use std::io::{self, BufWriter, Write, stdout};

use crate::config::{Config, Form, Output, Verbosity};
use crate::coordinator::Watch;
use crate::exit::Failed;
use crate::metrics::timeline::Row;
use crate::net::Routes;
use crate::report;
use crate::talk::say;
use endpoint::Endpoint;

/// Where the rows of a run go.
#[derive(Debug)]
pub struct Streams {
    /// The addresses that rows name by their places.
    addresses: Vec<String>,
    lines: Vec<Lines>,
    endpoint: Option<Endpoint>,
}

impl Streams {
    /// Opens what the configuration asks for, before anything is connected. A file is written from
    /// its begin, since what reads it wants each row at once.
    ///
    /// # Errors
    /// [`Failed`] with the file that can't be written, or the address that can't be listened on.
    pub fn open(config: &Config) -> Result<Self, Failed> {
        let is_wanted = |output: &&Output| output.form == Form::Ndjson;
        let lines = config.outputs.iter().filter(is_wanted).map(Lines::open);
        let endpoint = config.prometheus.map(|address| {
            let endpoint = Endpoint::start(address, config.scenario.name()).map_err(|error| {
                Failed::usage(format!("--prometheus {address} can't be listened on: {error}"))
            })?;
            if config.verbosity != Verbosity::Quiet {
                say(format_args!("metrics are at http://{}/metrics", endpoint.address()));
            }
            Ok(endpoint)
        });
        Ok(Self {
            addresses: Vec::new(),
            lines: lines.collect::<Result<_, _>>()?,
            endpoint: endpoint.transpose()?,
        })
    }

    /// Sets the addresses that rows name by their places.
    pub fn resolved(&mut self, routes: &Routes) {
        self.addresses = routes.addresses_in_turn().flatten().map(ToString::to_string).collect();
    }

    /// Returns what kept rows from being written.
    ///
    /// # Errors
    /// [`Failed`] with the first file that could not be written.
    pub fn finish(self) -> Result<(), Failed> {
        self.lines.into_iter().find_map(|lines| lines.failed).map_or(Ok(()), Err)
    }
}

impl Watch for Streams {
    fn row(&mut self, row: &Row) {
        if self.lines.iter().any(|lines| lines.failed.is_none()) {
            let found = report::row(row, &self.addresses);
            self.lines.iter_mut().for_each(|lines| lines.put(&found));
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.add(row);
        }
    }
}

/// Writes rows as lines of JSON.
struct Lines {
    name: String,
    out: Box<dyn Write>,
    /// Why no more rows are written.
    failed: Option<Failed>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lines {
    fn open(output: &Output) -> Result<Self, Failed> {
        let Some(path) = &output.file else {
            return Ok(Self { name: "stdout".into(), out: Box::new(stdout()), failed: None });
        };
        let name = path.display().to_string().escape_debug().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self { name, out: Box::new(BufWriter::new(file)), failed: None }),
            Err(error) => Err(Failed::usage(format!("-o ndjson={name} can't be written: {error}"))),
        }
    }

    fn put(&mut self, row: &report::RowReport) {
        if self.failed.is_some() {
            return;
        }
        let written = serde_json::to_string(row)
            .map_err(io::Error::from)
            .and_then(|line| writeln!(self.out, "{line}"))
            .and_then(|()| self.out.flush());
        if let Err(error) = written {
            let name = &self.name;
            self.failed =
                Some(Failed::run(format!("the rows could not be written to {name}: {error}")));
        }
    }
}
