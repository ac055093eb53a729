//! An echo server that is late by a known time: `late constant MS` answers each message MS
//! milliseconds after it was read; `late stall PERIOD_MS STALL_MS` answers at once, but nothing in
//! the first STALL_MS of every PERIOD_MS. Prints its port.
//!
//! It waits awake, because the runtime's timer is exact to a millisecond only: give it a core of
//! its own.

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};

/// When a message that was read now is answered.
#[derive(Clone, Copy)]
enum Lateness {
    Constant(Duration),
    Stall { begin: Instant, period: Duration, stall: Duration },
}

impl Lateness {
    fn parse(words: &[String]) -> Option<Self> {
        let ms = |word: &String| word.parse().ok().map(Duration::from_millis);
        match words {
            [kind, late] if kind == "constant" => Some(Self::Constant(ms(late)?)),
            [kind, period, stall] if kind == "stall" => {
                let (period, stall) = (ms(period)?, ms(stall)?);
                Some(Self::Stall { begin: Instant::now(), period, stall })
            }
            _ => None,
        }
    }

    fn due(self, now: Instant) -> Instant {
        match self {
            Self::Constant(late) => now + late,
            Self::Stall { begin, period, stall } => {
                let into = (now - begin).as_nanos() % period.as_nanos();
                let into = Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX));
                now + stall.saturating_sub(into)
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let lateness = Lateness::parse(&words).ok_or("late constant MS | stall PERIOD_MS STALL_MS")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(echo(stream, lateness));
        }
    })
}

async fn echo(stream: TcpStream, lateness: Lateness) {
    let Ok(mut socket) = wscodec_tokio::accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let due = lateness.due(Instant::now());
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
