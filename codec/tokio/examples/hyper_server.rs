//! An echo server in hyper, with plain HTTP on the same port: `GET /health`.
//!
//! ```text
//! cargo run -p wscodec-tokio --features hyper --example tokio_hyper_server
//! ```

use std::convert::Infallible;

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wscodec_tokio::wscodec::handshake::Acceptance;
use wscodec_tokio::{Config, Error, hyper::upgrade};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service_fn(serve))
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn serve(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/health" {
        return Ok(Response::new("ok\n".into()));
    }
    let config = Config::default();
    let (response, upgrading) = match upgrade(&mut request, &config, |_| Ok(Acceptance::new())) {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(Response::from(rejection).map(Full::from)),
    };
    tokio::spawn(async move {
        let mut socket = upgrading.await?; // once the response is out
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok::<(), Error>(())
    });
    Ok(response.map(|()| Full::default()))
}
