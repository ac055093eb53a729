//! The two pipes between a member and the process that started it, as the member has them.

use std::io::{BufRead, Write, stdin, stdout};
use std::thread;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Order, Said};
use crate::clock::Epoch;

/// Says something to the process that started this one. Does nothing if that is gone: an interrupt
/// is then on its way.
pub fn say<R: Serialize>(said: &Said<R>) {
    if let Ok(mut line) = serde_json::to_vec(said) {
        line.push(b'\n');
        let mut out = stdout().lock();
        out.write_all(&line).and_then(|()| out.flush()).ok();
    }
}

/// Reads orders from stdin.
#[derive(Debug)]
pub struct Link {
    orders: UnboundedReceiver<Order>,
    /// Whether no more orders can come.
    is_over: bool,
}

impl Link {
    /// Takes stdin.
    #[must_use]
    pub fn open() -> Self {
        let (sender, orders) = unbounded_channel();
        thread::spawn(move || {
            let lines = stdin().lock().lines().map_while(Result::ok);
            for order in lines.map_while(|line| serde_json::from_str(&line).ok()) {
                if sender.send(order).is_err() {
                    return;
                }
            }
        });
        Self { orders, is_over: false }
    }

    /// Waits for the moment at which the run begins; `None` if it never does. Blocks, and must not
    /// be called within a runtime.
    pub fn begin(&mut self) -> Option<Epoch> {
        loop {
            match self.orders.blocking_recv()? {
                Order::Begin(epoch) => return Some(epoch),
                Order::Load { .. } => {}
                Order::Stop | Order::Interrupt => return None,
            }
        }
    }

    /// Waits for the next order. The end of the process that gives them is an interrupt.
    pub async fn order(&mut self) -> Order {
        if self.is_over {
            std::future::pending::<()>().await;
        }
        if let Some(order) = self.orders.recv().await {
            return order;
        }
        self.is_over = true;
        Order::Interrupt
    }
}
