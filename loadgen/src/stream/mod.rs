//! Passes the time series on while a run goes on: a row a second as JSON or for `InfluxDB`, metrics
//! for Prometheus, `OpenTelemetry` and `StatsD`.

mod endpoint;
#[cfg(feature = "otlp")]
mod otlp;
mod page;
#[cfg(any(feature = "otlp", feature = "influx"))]
mod post;
mod sink;
#[cfg(feature = "statsd")]
mod statsd;
mod totals;

use std::fs::File;
use std::io::{self, BufWriter, Write, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{Config, Form, Output, Sink, Verbosity};
use crate::coordinator::Watch;
use crate::exit::Failed;
use crate::metrics::timeline::Row;
use crate::net::Routes;
use crate::report::influx;
use crate::report::{self, RowReport, SegmentReport};
use crate::talk::say;
use endpoint::Endpoint;
use sink::Running;

/// Where the rows of a run go.
#[derive(Debug)]
pub struct Streams {
    /// The addresses that rows name by their places.
    addresses: Vec<String>,
    lines: Vec<Lines>,
    endpoint: Option<Endpoint>,
    sinks: Vec<Running>,
}

impl Streams {
    /// Opens what the configuration asks for, before anything is connected. A file is written from
    /// its begin, since what reads it wants each row at once.
    ///
    /// # Errors
    /// [`Failed`] with the file that can't be written, the address that can't be listened on, or the
    /// flag that this build doesn't have.
    pub fn open(config: &Config, started_at: SystemTime) -> Result<Self, Failed> {
        let is_wanted = |output: &&Output| output.form.is_streamed();
        let lines = config.outputs.iter().filter(is_wanted);
        let lines = lines.map(|output| Lines::open(output, config, started_at));
        let sinks = config.sinks.iter().map(|sink| running(sink, config, started_at));
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
            sinks: sinks.collect::<Result<_, _>>()?,
        })
    }

    /// Sets the addresses that rows name by their places.
    pub fn resolved(&mut self, routes: &Routes) {
        self.addresses = routes.addresses_in_turn().flatten().map(ToString::to_string).collect();
    }

    /// Waits a little for what still has to be sent, and says what was not. Returns what kept rows
    /// from being written.
    ///
    /// # Errors
    /// [`Failed`] with the first file that could not be written.
    pub fn finish(self) -> Result<(), Failed> {
        self.sinks.into_iter().filter_map(Running::finish).for_each(say);
        self.lines.into_iter().find_map(|lines| lines.failed).map_or(Ok(()), Err)
    }
}

impl Watch for Streams {
    fn row(&mut self, row: &Row) {
        if self.lines.iter().any(|lines| lines.failed.is_none()) || !self.sinks.is_empty() {
            let found = report::row(row, &self.addresses);
            self.lines.iter_mut().for_each(|lines| lines.put(&found));
            self.sinks.iter_mut().for_each(|sink| sink.row(row, &found));
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.add(row);
        }
    }
}

/// Starts what sends the rows to a sink.
#[allow(unreachable_patterns, reason = "a build may have all features, or none")]
fn running(sink: &Sink, config: &Config, started_at: SystemTime) -> Result<Running, Failed> {
    match sink {
        #[cfg(feature = "otlp")]
        Sink::Otlp(to) => Ok(Running::start(
            sink,
            Box::new(otlp::Otlp::new(config, started_at)),
            post::Post::new(to, otlp::CONTENT_TYPE, otlp::fault),
        )),
        #[cfg(feature = "influx")]
        Sink::Influx(to) => Ok(Running::start(
            sink,
            Box::new(influx_lines(config, started_at)),
            post::Post::new(to, "text/plain; charset=utf-8", |_| None),
        )),
        #[cfg(feature = "statsd")]
        Sink::Statsd { host, port } => Ok(Running::start(
            sink,
            Box::new(statsd::Lines::default()),
            statsd::Datagrams::new(host, *port),
        )),
        other => {
            let flag = other.flag();
            let feature = flag.trim_start_matches('-');
            Err(Failed::usage(format!(
                "{flag} is not in this build, which was made without the feature {feature}"
            )))
        }
    }
}

/// Returns what makes the lines of a run for `InfluxDB`.
fn influx_lines(config: &Config, started_at: SystemTime) -> influx::Lines {
    let part = config.segment;
    let segment = part.map(|part| SegmentReport { index: part.index(), of: part.of() });
    let labels = config.labels.iter().map(|(key, value)| (&**key, &**value));
    let since = started_at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let begun_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    influx::Lines::new(config.scenario.name(), segment, labels, begun_ms)
}

#[cfg(feature = "influx")]
impl sink::Encode for influx::Lines {
    fn encode(&mut self, _: &Row, shown: &RowReport) -> Vec<u8> {
        self.line(shown).into_bytes()
    }
}

/// Writes rows as lines of JSON or for `InfluxDB`.
struct Lines {
    name: String,
    /// What makes lines for `InfluxDB`; `None` writes JSON.
    influx: Option<influx::Lines>,
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
    fn open(output: &Output, config: &Config, started_at: SystemTime) -> Result<Self, Failed> {
        let influx = (output.form == Form::Influx).then(|| influx_lines(config, started_at));
        let Some(path) = &output.file else {
            let out = Box::new(stdout());
            return Ok(Self { name: "stdout".into(), influx, out, failed: None });
        };
        let name = path.display().to_string().escape_debug().to_string();
        match File::create(path) {
            Ok(file) => {
                Ok(Self { name, influx, out: Box::new(BufWriter::new(file)), failed: None })
            }
            Err(error) => {
                let form = output.form.name();
                Err(Failed::usage(format!("-o {form}={name} can't be written: {error}")))
            }
        }
    }

    fn put(&mut self, row: &RowReport) {
        if self.failed.is_some() {
            return;
        }
        let line = match &self.influx {
            Some(lines) => Ok(lines.line(row)),
            None => serde_json::to_string(row).map(|line| line + "\n"),
        };
        let written = line
            .map_err(io::Error::from)
            .and_then(|line| self.out.write_all(line.as_bytes()))
            .and_then(|()| self.out.flush());
        if let Err(error) = written {
            let name = &self.name;
            self.failed =
                Some(Failed::run(format!("the rows could not be written to {name}: {error}")));
        }
    }
}
