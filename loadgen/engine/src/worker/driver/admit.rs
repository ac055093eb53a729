//! Takes in the outcome of an opening handshake: a session, or a counter.

use tokio::sync::OwnedSemaphorePermit;
use wscodec::{ConnectionBuilder, Role};

use super::super::opening::Established;
use super::super::outstanding::Outstanding;
use super::super::receipt::Receipts;
use super::super::session::{CloseState, Keys, Readiness, Session};
use super::super::sessions::SessionKey;
use super::Driver;
use crate::config::Misbehaviour;
use crate::plan::ConnectionPlan;

impl Driver {
    /// Takes in an open connection; `None` if it is not waited for any more.
    pub(crate) fn admit(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Option<SessionKey> {
        let thread = &mut self.thread;
        if thread.admission.is_abandoned() {
            return None;
        }
        thread.admission.pending -= 1;
        thread.admission.failures_in_a_row = 0;
        thread.metrics.established += 1;
        thread.live.established.add(1);
        let times = opened.waterfall;
        if thread.times.is_measured(times.upgraded_ns) {
            thread.metrics.opened += 1;
        }
        times.record(&mut thread.metrics.distributions);
        thread.url_counts(plan.index).established += 1;
        if let Some(agreed) = &opened.tls {
            thread.metrics.tls_agreed(agreed);
        }
        if plan.messages == 0 {
            thread.outbox.spent += 1;
        }
        Some(self.take_in(plan, opened, Outstanding::default(), permit))
    }

    /// Takes in a connection that is open again; `None` if it is not waited for any more.
    pub(crate) fn readmit(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
    ) -> Option<SessionKey> {
        let outstanding = self.thread.reattempt_succeeded(plan.index, &opened.waterfall)?;
        Some(self.take_in(plan, opened, outstanding, None))
    }

    /// Makes a session of an open connection. Returns its key.
    fn take_in(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        outstanding: Outstanding,
        permit: Option<OwnedSemaphorePermit>,
    ) -> SessionKey {
        let thread = &mut self.thread;
        if thread.deflating.is_offered {
            thread.metrics.deflate.handshake(opened.deflate);
        }
        let keys = Keys::new(thread.settings.common.mask);
        let key = thread.sessions.insert(Session {
            stream: match thread.settings.misbehaviour {
                Misbehaviour::Slow { bytes_per_s } => opened.stream.slowed(bytes_per_s),
                _ => opened.stream,
            },
            codec: ConnectionBuilder::with_mask_keys(Role::Client, keys)
                .limits(thread.settings.limits)
                .extension(opened.deflate.as_ref())
                .open(),
            index: plan.index,
            quota: plan.messages,
            outstanding,
            unsent: Vec::new(),
            unsent_begin: 0,
            waker: None,
            is_dirty: false,
            is_deflated: opened.deflate.is_some(),
            readiness: Readiness::default(),
            is_cut: false,
            is_held: thread.settings.misbehaviour == Misbehaviour::NeverPong,
            close: CloseState::default(),
            _permit: permit,
        });
        if thread.receipts.is_some() {
            Receipts::begin(&thread.sessions[key].stream);
        }
        // The task is about to call `poll_open`, and sees what this leads to.
        let mut rest = opened.rest;
        self.duty.opening(&mut self.thread, key);
        self.receive(key, &mut rest);
        let Self { thread, duty } = self;
        let has_begun = duty.begin(thread, key);
        if has_begun && thread.may_send(thread.clock.now_ns()) {
            self.refill(key);
        }
        self.thread.lifecycle.wake_main();
        key
    }
}
