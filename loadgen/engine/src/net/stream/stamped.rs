//! Reads from a TCP socket, and learns when the kernel had what is read.
//!
//! The kernel stamps each segment as it comes in, and hands out the stamp of the last one that a
//! read took from: for the bytes before it, an upper bound.

use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use rustix::net::{AddressFamily, SocketType, socket};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::Stream;

/// What stamped reads of a thread share: room for what the kernel says beside the bytes.
#[derive(Debug)]
pub(crate) struct Stamped {
    control: Box<[u8]>,
    /// Never used. The kernel begins to stamp a little after the first socket has asked for it, and
    /// so after the first replies if that is the one that they come on.
    _asking: Option<OwnedFd>,
}

impl Stamped {
    /// Makes room for a stamp.
    pub(crate) fn new() -> Self {
        let asking = socket(AddressFamily::INET, SocketType::DGRAM, None).ok();
        let asking = asking.filter(|asking| setsockopt(asking, ReceiveTimestampns, &true).is_ok());
        Self { control: nix::cmsg_space!(TimeSpec).into(), _asking: asking }
    }

    /// Has the kernel stamp what comes in on a stream from now on; does nothing unless it is plain
    /// TCP.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn begin(stream: &Stream) -> io::Result<()> {
        match stream {
            Stream::Tcp(stream) => Ok(setsockopt(stream, ReceiveTimestampns, &true)?),
            Stream::Other(_) => Ok(()),
        }
    }

    /// Reads as `poll_read` does. Returns when the kernel had the last byte, in nanoseconds since
    /// 1970, if it says so.
    pub(crate) fn poll_read(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<u64>>> {
        match stream {
            Stream::Tcp(stream) => self.poll_read_tcp(stream, cx, buffer),
            Stream::Other(_) => Pin::new(stream).poll_read(cx, buffer).map_ok(|()| None),
        }
    }

    fn poll_read_tcp(
        &mut self,
        stream: &TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<u64>>> {
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let mut taken = None;
            let read = stream.try_io(Interest::READABLE, || {
                let room = buffer.initialize_unfilled();
                let room_len = room.len();
                let (len, unix_ns) = self.receive(stream, room)?;
                taken = Some((len, unix_ns));
                // Less than there was room for: nothing is left, and tokio needn't be told by
                // another call. It reads streams in the same way.
                if 0 < len && len < room_len { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            if let Some((len, unix_ns)) = taken {
                buffer.advance(len);
                return Poll::Ready(Ok(unix_ns));
            }
            match read {
                // Not ready after all, or a signal interrupted the read.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                read => return Poll::Ready(read.map(|()| None)),
            }
        }
    }

    fn receive(&mut self, stream: &TcpStream, room: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
        let mut room = [IoSliceMut::new(room)];
        let control = Some(&mut *self.control);
        let received: RecvMsg<'_, '_, ()> =
            recvmsg(stream.as_raw_fd(), &mut room, control, MsgFlags::empty())?;
        let stamp = received.cmsgs().ok().and_then(|messages| {
            messages.into_iter().find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(time) => unix_ns(time),
                _ => None,
            })
        });
        Ok((received.bytes, stamp))
    }
}

fn unix_ns(time: TimeSpec) -> Option<u64> {
    let [seconds, nanos] = [time.tv_sec(), time.tv_nsec()].map(u64::try_from);
    seconds.ok()?.checked_mul(1_000_000_000)?.checked_add(nanos.ok()?)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::{Duration, SystemTime};

    use super::*;

    async fn read(
        stamped: &mut Stamped,
        stream: &mut Stream,
        room: &mut [u8],
    ) -> (usize, Option<u64>) {
        let mut buffer = ReadBuf::new(room);
        let stamp = poll_fn(|cx| stamped.poll_read(stream, cx, &mut buffer)).await.unwrap();
        (buffer.filled().len(), stamp)
    }

    fn now() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_stamp_is_of_the_arrival_and_not_of_the_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut stream = Stream::Tcp(client);
        Stamped::begin(&stream).unwrap();
        // The kernel begins to stamp soon after the first socket has asked for it.
        std::thread::sleep(Duration::from_millis(50));
        let (mut stamped, mut room) = (Stamped::new(), [0; 64]);
        let before = now();
        server.write_all(b"first").unwrap();
        let after = now();
        std::thread::sleep(Duration::from_millis(50));
        let (len, stamp) = read(&mut stamped, &mut stream, &mut room).await;
        let at = Duration::from_nanos(stamp.unwrap());
        assert!((before..=after).contains(&at), "{before:?} {at:?} {after:?}");
        assert_eq!(&room[..len], b"first");
        // A read that leaves something is followed by one that doesn't wait, and by the end.
        server.write_all(b"second").unwrap();
        assert_eq!(read(&mut stamped, &mut stream, &mut room[..4]).await.0, 4);
        assert_eq!(read(&mut stamped, &mut stream, &mut room[..4]).await.0, 2);
        drop(server);
        assert_eq!(read(&mut stamped, &mut stream, &mut room).await, (0, None));
    }
}
