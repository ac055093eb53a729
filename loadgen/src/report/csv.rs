//! The time series of a [`Report`] to comma-separated values (RFC 4180): a head, then a line an
//! interval.

use std::io::{self, Write};

use super::{Report, RowReport};

/// Names of the columns, in order.
pub const HEAD: &str = "begin_ns,length_ns,open,established,failed,sent,received,wrong,p50_ns,p99_ns,\
    lost,reconnect_attempts";

/// Writes the time series. What is not known, such as a percentile of nothing, is empty.
///
/// # Errors
/// What `out` says.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{HEAD}\r\n")?;
    for row in &report.time_series.rows {
        let RowReport { begin_ns, length_ns, open, established, failed, sent, .. } = row;
        let RowReport { received, wrong, p50_ns, p99_ns, lost, reconnect_attempts, .. } = row;
        let [p50_ns, p99_ns] =
            [p50_ns, p99_ns].map(|ns| ns.map(|ns| ns.to_string()).unwrap_or_default());
        write!(out, "{begin_ns},{length_ns},{open},{established},{failed},")?;
        write!(out, "{sent},{received},{wrong},{p50_ns},{p99_ns},")?;
        write!(out, "{lost},{reconnect_attempts}\r\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_line_an_interval() {
        let mut report = sample();
        let row = RowReport {
            begin_ns: 0,
            length_ns: 1_000,
            open: 2,
            established: 3,
            failed: 4,
            lost: 9,
            reconnect_attempts: 10,
            sent: 5,
            received: 6,
            wrong: 7,
            p50_ns: Some(8),
            p99_ns: None,
            latency: None,
        };
        report.time_series.rows = vec![row];
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, format!("{HEAD}\r\n0,1000,2,3,4,5,6,7,8,,9,10\r\n"));
    }
}
