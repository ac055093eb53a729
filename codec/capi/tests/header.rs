//! `include/wscodec.h` is what cbindgen makes of the source. With `WSCODEC_CAPI_BLESS=1` it is
//! written.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_header_is_made_from_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = header(root);
    let path = root.join("include/wscodec.h");
    if env::var_os("WSCODEC_CAPI_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(
        kept == made,
        "include/wscodec.h is not what the source says, from line {} on: \
         WSCODEC_CAPI_BLESS=1 cargo test -p wscodec-capi --test header",
        differs.map_or(kept.lines().count().min(made.lines().count()), |line| line) + 1
    );
}

fn header(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    config.after_includes = Some(format!(
        "/* The version of this header; ws_version returns the library's. */\n\
         #define WS_VERSION_MAJOR {major}\n\
         #define WS_VERSION_MINOR {minor}\n\
         #define WS_VERSION_PATCH {patch}\n\
         #define WS_VERSION ((WS_VERSION_MAJOR << 16) | (WS_VERSION_MINOR << 8) | WS_VERSION_PATCH)"
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In the order of a reader's questions.
    for module in [
        "status",
        "names",
        "failure",
        "version",
        "memory",
        "deflate",
        "connection",
        "event",
        "send",
        "prepared",
        "halves",
        "headers",
        "client_handshake",
        "server_handshake",
        "mask",
    ] {
        builder = builder.with_src(root.join(format!("src/{module}.rs")));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    String::from_utf8(made).unwrap()
}
