//! How connections reached a server: by which URL, and with which TLS parameters.

use std::collections::BTreeMap;

use super::Metrics;
use super::counts::counts;
use crate::net::Agreed;

counts! {
    /// What became of the connections to one URL.
    pub struct UrlCounts {
        /// Started.
        attempted: sum,
        /// Opened by a valid handshake.
        established: sum,
        /// Did everything they should and closed cleanly.
        completed: sum,
        /// Messages sent, or queued for a server that doesn't read.
        messages: sum,
    }
}

counts! {
    /// What became of the connections to one address, if a URL has several. Reopened connections
    /// count again.
    pub struct AddressCounts {
        /// Opened by a valid handshake.
        established: sum,
        /// Refused, not answered in time, or without a valid handshake.
        failed: sum,
        /// Abandoned because another address was quicker for the same connection.
        overtaken: sum,
    }
}

impl AddressCounts {
    /// One connection opened.
    pub const ESTABLISHED: Self = Self { established: 1, failed: 0, overtaken: 0 };
    /// One attempt failed.
    pub const FAILED: Self = Self { established: 0, failed: 1, overtaken: 0 };
    /// One attempt abandoned.
    pub(crate) const OVERTAKEN: Self = Self { established: 0, failed: 0, overtaken: 1 };

    /// Returns the counts since `earlier`.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            established: self.established.saturating_sub(earlier.established),
            failed: self.failed.saturating_sub(earlier.failed),
            overtaken: self.overtaken.saturating_sub(earlier.overtaken),
        }
    }
}

/// The TLS parameters agreed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsKind {
    /// Such as `TLS 1.3`.
    pub version: String,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher: String,
}

impl Metrics {
    /// Counts an established connection with TLS.
    pub(crate) fn tls_agreed(&mut self, agreed: &Agreed) {
        let kind = TlsKind { version: agreed.version.clone(), cipher: agreed.cipher.clone() };
        *self.tls.entry(kind).or_default() += 1;
    }

    /// Returns the counts of an address of a URL, by their places.
    pub(crate) fn address(&mut self, url: usize, place: usize) -> &mut AddressCounts {
        if self.addresses.len() <= url {
            self.addresses.resize(url + 1, Vec::new());
        }
        let addresses = &mut self.addresses[url];
        if addresses.len() <= place {
            addresses.resize(place + 1, AddressCounts::default());
        }
        &mut addresses[place]
    }

    pub(super) fn merge_addresses(&mut self, others: &[Vec<AddressCounts>]) {
        for (url, addresses) in others.iter().enumerate() {
            for (place, counts) in addresses.iter().enumerate() {
                self.address(url, place).add(counts);
            }
        }
    }

    pub(super) fn merge_reach(&mut self, urls: Vec<UrlCounts>, tls: BTreeMap<TlsKind, u64>) {
        if self.urls.len() < urls.len() {
            self.urls.resize(urls.len(), UrlCounts::default());
        }
        for (own, other) in self.urls.iter_mut().zip(urls) {
            own.add(&other);
        }
        for (kind, count) in tls {
            *self.tls.entry(kind).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_url_by_url() {
        let counts = |n| UrlCounts { attempted: n, established: n, completed: n, messages: 10 * n };
        let kind = |cipher: &str| TlsKind { version: "TLS 1.3".into(), cipher: cipher.into() };
        let mut sum = Metrics::default();
        sum.merge_reach(vec![counts(1), counts(2)], BTreeMap::from([(kind("a"), 3)]));
        sum.merge_reach(
            vec![counts(1), counts(5)],
            BTreeMap::from([(kind("a"), 1), (kind("b"), 1)]),
        );
        assert_eq!(sum.urls, [counts(2), counts(7)]);
        assert_eq!(sum.tls, BTreeMap::from([(kind("a"), 4), (kind("b"), 1)]));
    }
}
